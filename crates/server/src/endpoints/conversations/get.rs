//! `GET /api/v1/conversations/{id}`

use axum::Json;
use axum::extract::State;
use stoa_model::ConversationId;
use stoa_model::conversation::Conversation;

use crate::app::App;
use crate::extract::{Caller, Id};
use crate::problem::{ProblemBody, Result};

/// One conversation, without its messages.
#[utoipa::path(
    get, path = "/conversations/{id}", tag = "conversations", params(("id" = ConversationId, Path)),
    responses((status = 200, body = Conversation), (status = 404, body = ProblemBody, content_type = "application/problem+json"))
)]
pub(super) async fn get_conversation(
    State(app): State<App>,
    Caller(principal): Caller,
    Id(id): Id<ConversationId>,
) -> Result<Json<Conversation>> {
    Ok(Json(app.database.conversation(&principal, id).await?))
}
