//! `POST /api/v1/assistants/details`

use axum::Json as Answer;
use axum::extract::State;
use serde::Deserialize;
use stoa_model::assistant::{AssistantDetails, MAX_ROLE_BYTES};
use stoa_model::conversation::Language;

use super::BODY_BYTES;
use crate::app::App;
use crate::endpoints::messages::clean_model;
use crate::extract::{Caller, Json};
use crate::problem::{Problem, ProblemBody, Result};

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DescribeAssistant {
    /// What the model is told to be; 1 byte to 64 KiB.
    role: String,
    /// Who writes it, `slug/name`.
    model: String,
    /// In which language.
    language: Language,
}

/// Has a model write name, description, tags and the rest from a role, which takes as long as the model needs. Nothing is
/// kept; whoever goes away stops it.
#[utoipa::path(
    post, path = "/assistants/details", tag = "assistants", request_body = DescribeAssistant,
    responses(
        (status = 200, body = AssistantDetails),
        (status = 404, body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, body = ProblemBody, content_type = "application/problem+json"),
        (status = 502, description = "Also `nothing_usable`: the model wrote something else.",
            body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn describe_assistant(
    State(app): State<App>,
    Caller(principal): Caller,
    Json(wish): Json<DescribeAssistant, BODY_BYTES>,
) -> Result<Answer<AssistantDetails>> {
    if wish.role.trim().is_empty() || wish.role.len() > MAX_ROLE_BYTES {
        return Err(Problem::field("role", format!("between 1 and {MAX_ROLE_BYTES} bytes")));
    }
    let model = clean_model(wish.model)?;
    Ok(Answer(app.chat.describe_assistant(&principal, &wish.role, model, wish.language).await?))
}
