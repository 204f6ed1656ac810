//! `GET /api/v1/conversations/{id}/threads`

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use stoa_model::ConversationId;
use stoa_model::conversation::Conversation;

use crate::app::App;
use crate::extract::{Caller, Id};
use crate::problem::{ProblemBody, Result};

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct ThreadList {
    /// The latest used first; at most 200.
    items: Vec<Conversation>,
}

/// Lists the threads of a conversation, on whichever branch they begin.
#[utoipa::path(
    get, path = "/conversations/{id}/threads", tag = "conversations", params(("id" = ConversationId, Path)),
    responses((status = 200, body = ThreadList), (status = 404, body = ProblemBody, content_type = "application/problem+json"))
)]
pub(super) async fn list_threads(
    State(app): State<App>,
    Caller(principal): Caller,
    Id(id): Id<ConversationId>,
) -> Result<Json<ThreadList>> {
    Ok(Json(ThreadList { items: app.database.threads(&principal, id).await? }))
}
