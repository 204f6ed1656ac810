//! `POST /api/v1/assistants/{id}/restore`

use axum::Json;
use axum::extract::State;
use stoa_model::AssistantId;
use stoa_model::assistant::Assistant;

use crate::app::App;
use crate::extract::{Caller, Id};
use crate::problem::{ProblemBody, Result};

/// Brings a deleted assistant back.
#[utoipa::path(
    post, path = "/assistants/{id}/restore", tag = "assistants", params(("id" = AssistantId, Path)),
    responses((status = 200, body = Assistant), (status = 404, body = ProblemBody, content_type = "application/problem+json"))
)]
pub(super) async fn restore_assistant(
    State(app): State<App>,
    Caller(principal): Caller,
    Id(id): Id<AssistantId>,
) -> Result<Json<Assistant>> {
    Ok(Json(app.database.restore_assistant(&principal, id).await?))
}
