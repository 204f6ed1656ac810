//! `PATCH /api/v1/assistants/{id}`

use axum::Json as Answer;
use axum::extract::State;
use serde::Deserialize;
use stoa_model::AssistantId;
use stoa_model::assistant::{Assistant, AssistantProfile};
use stoa_storage::AssistantChange as Change;

use super::BODY_BYTES;
use crate::app::App;
use crate::extract::{Caller, Id, Json};
use crate::problem::{ProblemBody, Result};

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AssistantChange {
    /// The whole of it.
    profile: Option<AssistantProfile>,
    pinned: Option<bool>,
}

/// Changes what is given and leaves the rest. A new role and a new template hold from the next turn of every
/// conversation with this assistant; the model and the parameters are those of new conversations.
#[utoipa::path(
    patch, path = "/assistants/{id}", tag = "assistants", params(("id" = AssistantId, Path)),
    request_body = AssistantChange,
    responses(
        (status = 200, body = Assistant),
        (status = 404, body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn change_assistant(
    State(app): State<App>,
    Caller(principal): Caller,
    Id(id): Id<AssistantId>,
    Json(change): Json<AssistantChange, BODY_BYTES>,
) -> Result<Answer<Assistant>> {
    let profile = change.profile.map(AssistantProfile::checked).transpose()?;
    let change = Change { profile, pinned: change.pinned };
    Ok(Answer(app.database.change_assistant(&principal, id, change, app.now()).await?))
}
