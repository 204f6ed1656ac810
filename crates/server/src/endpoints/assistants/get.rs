//! `GET /api/v1/assistants/{id}`

use axum::Json;
use axum::extract::State;
use stoa_model::AssistantId;
use stoa_model::assistant::Assistant;

use crate::app::App;
use crate::extract::{Caller, Id};
use crate::problem::{ProblemBody, Result};

/// One assistant.
#[utoipa::path(
    get, path = "/assistants/{id}", tag = "assistants", params(("id" = AssistantId, Path)),
    responses((status = 200, body = Assistant), (status = 404, body = ProblemBody, content_type = "application/problem+json"))
)]
pub(super) async fn get_assistant(
    State(app): State<App>,
    Caller(principal): Caller,
    Id(id): Id<AssistantId>,
) -> Result<Json<Assistant>> {
    Ok(Json(app.database.assistant(&principal, id).await?))
}
