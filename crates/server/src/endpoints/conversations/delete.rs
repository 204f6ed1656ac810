//! `DELETE /api/v1/conversations/{id}`

use axum::extract::State;
use http::StatusCode;
use stoa_model::ConversationId;

use crate::app::App;
use crate::extract::{Caller, Id};
use crate::problem::{ProblemBody, Result};

/// Hides a conversation. It can be restored for 30 days.
#[utoipa::path(
    delete, path = "/conversations/{id}", tag = "conversations", params(("id" = ConversationId, Path)),
    responses((status = 204), (status = 404, body = ProblemBody, content_type = "application/problem+json"))
)]
pub(super) async fn delete_conversation(
    State(app): State<App>,
    Caller(principal): Caller,
    Id(id): Id<ConversationId>,
) -> Result<StatusCode> {
    app.database.delete_conversation(&principal, id, app.now()).await?;
    Ok(StatusCode::NO_CONTENT)
}
