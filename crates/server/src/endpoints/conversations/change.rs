//! `PATCH /api/v1/conversations/{id}`

use axum::Json as Answer;
use axum::extract::State;
use serde::Deserialize;
use stoa_model::completion::Parameters;
use stoa_model::conversation::{Conversation, checked_tags};
use stoa_model::{ConversationId, MessageId, ProjectId};
use stoa_storage::ConversationChange as Change;

use super::{ROLE_BYTES, clean_title};
use crate::app::App;
use crate::endpoints::messages::clean_model;
use crate::extract::{Caller, Id, Json, given};
use crate::problem::{Problem, ProblemBody, Result};

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConversationChange {
    title: Option<String>,
    pinned: Option<bool>,
    /// Out of the list, or back in it.
    archived: Option<bool>,
    /// Into this project; `null` for out of the one it is in.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<ProjectId>)]
    #[expect(clippy::option_option, reason = "absent, null and an id are three things")]
    project_id: Option<Option<ProjectId>>,
    /// `true` goes on without the assistant.
    #[serde(default)]
    without_assistant: bool,
    /// In the place of those it has: at most 10, of 30 characters each.
    tags: Option<Vec<String>>,
    /// The model of the next turn, `slug/name`.
    model: Option<String>,
    parameters: Option<Parameters>,
    /// What the model is told to be; at most 64 KiB.
    role: Option<String>,
    /// Any message: the newest end below it is shown from now on.
    leaf_id: Option<MessageId>,
    /// Whether old turns are summed up by themselves.
    auto_summary: Option<bool>,
    /// `true` makes a temporary conversation one like all others.
    #[serde(default)]
    keep: bool,
}

/// Changes what is given and leaves the rest.
#[utoipa::path(
    patch, path = "/conversations/{id}", tag = "conversations", params(("id" = ConversationId, Path)),
    request_body = ConversationChange,
    responses((status = 200, body = Conversation), (status = 404, body = ProblemBody, content_type = "application/problem+json"))
)]
pub(super) async fn change_conversation(
    State(app): State<App>,
    Caller(principal): Caller,
    Id(id): Id<ConversationId>,
    Json(change): Json<ConversationChange>,
) -> Result<Answer<Conversation>> {
    let title = change.title.as_deref().map(clean_title).transpose()?;
    if title.as_ref().is_some_and(String::is_empty) {
        return Err(Problem::field("title", "cannot be empty"));
    }
    if change.role.as_ref().is_some_and(|role| role.len() > ROLE_BYTES) {
        return Err(Problem::field("role", format!("at most {ROLE_BYTES} bytes")));
    }
    if let Some(parameters) = &change.parameters {
        parameters.check().map_err(|error| Problem::field(error.name, error.to_string()))?;
    }
    let model = change.model.map(clean_model).transpose()?;
    let change = Change {
        title,
        pinned: change.pinned,
        archived: change.archived,
        project: change.project_id,
        without_assistant: change.without_assistant,
        tags: change.tags.as_deref().map(checked_tags).transpose()?,
        model,
        parameters: change.parameters,
        role: change.role.map(|role| role.replace('\0', "")),
        leaf: change.leaf_id,
        auto_summary: change.auto_summary,
        keep: change.keep,
    };
    Ok(Answer(app.database.change_conversation(&principal, id, change, app.now()).await?))
}
