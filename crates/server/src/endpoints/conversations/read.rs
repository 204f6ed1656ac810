//! `POST /api/v1/conversations/{id}/read`

use axum::extract::State;
use http::StatusCode;
use stoa_model::ConversationId;

use crate::app::App;
use crate::extract::{Caller, Id};
use crate::problem::{ProblemBody, Result};

/// Says that the caller has seen the latest answer.
#[utoipa::path(
    post, path = "/conversations/{id}/read", tag = "conversations", params(("id" = ConversationId, Path)),
    responses((status = 204), (status = 404, body = ProblemBody, content_type = "application/problem+json"))
)]
pub(super) async fn mark_conversation_read(
    State(app): State<App>,
    Caller(principal): Caller,
    Id(id): Id<ConversationId>,
) -> Result<StatusCode> {
    app.database.mark_read(&principal, id, app.now()).await?;
    Ok(StatusCode::NO_CONTENT)
}
