//! `DELETE /api/v1/assistants/{id}`

use axum::extract::State;
use http::StatusCode;
use stoa_model::AssistantId;

use crate::app::App;
use crate::extract::{Caller, Id};
use crate::problem::{ProblemBody, Result};

/// Hides an assistant. Its conversations stay and go on without it. It can be restored for 30 days.
#[utoipa::path(
    delete, path = "/assistants/{id}", tag = "assistants", params(("id" = AssistantId, Path)),
    responses((status = 204), (status = 404, body = ProblemBody, content_type = "application/problem+json"))
)]
pub(super) async fn delete_assistant(
    State(app): State<App>,
    Caller(principal): Caller,
    Id(id): Id<AssistantId>,
) -> Result<StatusCode> {
    app.database.delete_assistant(&principal, id, app.now()).await?;
    Ok(StatusCode::NO_CONTENT)
}
