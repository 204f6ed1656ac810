//! `POST /api/v1/assistants/{id}/duplicate`

use axum::Json as Answer;
use axum::extract::State;
use http::StatusCode;
use stoa_model::AssistantId;
use stoa_model::assistant::{Assistant, MAX_NAME};
use stoa_storage::{NewAssistant, StorageError};

use crate::app::App;
use crate::extract::{Caller, Id};
use crate::problem::{Problem, ProblemBody, Result};

/// Makes another like this one. It comes first in the list, with a number behind its name.
#[utoipa::path(
    post, path = "/assistants/{id}/duplicate", tag = "assistants", params(("id" = AssistantId, Path)),
    responses(
        (status = 201, body = Assistant),
        (status = 404, body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn duplicate_assistant(
    State(app): State<App>,
    Caller(principal): Caller,
    Id(id): Id<AssistantId>,
) -> Result<(StatusCode, Answer<Assistant>)> {
    let mut profile = app.database.assistant(&principal, id).await?.profile;
    let picture = match app.database.assistant_picture(&principal, id).await {
        Ok(digest) => Some(digest),
        Err(StorageError::NotFound) => None,
        Err(error) => return Err(error.into()),
    };
    let taken = app.database.assistants(&principal).await?.into_iter().map(|assistant| assistant.profile.name);
    profile.name = another_name(&profile.name, &taken.collect::<Vec<_>>());
    let made = app.database.create_assistants(&principal, vec![NewAssistant { profile, picture }], app.now()).await?;
    let made = made.into_iter().next().ok_or_else(|| Problem::internal("no assistant was made"))?;
    Ok((StatusCode::CREATED, Answer(made)))
}

/// The name with the next number behind it that nobody has: words for a copy would have a language.
fn another_name(name: &str, taken: &[String]) -> String {
    let bare = match name.rsplit_once(' ') {
        Some((bare, number)) if !bare.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) => bare,
        _ => name,
    };
    let numbered = |number: usize| {
        let tail = format!(" {number}");
        let kept: String = bare.chars().take(MAX_NAME - tail.len()).collect();
        format!("{}{tail}", kept.trim_end())
    };
    (2..taken.len() + 3).map(numbered).find(|name| !taken.contains(name)).unwrap_or_else(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_has_the_next_number() {
        let taken = ["Translator", "Translator 2", "3"].map(str::to_owned);
        assert_eq!(another_name("Translator", &taken), "Translator 3");
        assert_eq!(another_name("Translator 2", &taken), "Translator 3");
        assert_eq!(another_name("3", &taken), "3 2");
        assert_eq!(another_name(&"x".repeat(MAX_NAME), &taken).chars().count(), MAX_NAME);
    }
}
