//! `GET /api/v1/conversations/{id}/context`

use axum::Json as Answer;
use axum::extract::State;
use stoa_model::ConversationId;
use stoa_model::conversation::ContextFigures;

use crate::app::App;
use crate::extract::{Caller, Id};
use crate::problem::{ProblemBody, Result};

/// What a model would be sent with the next question, part by part, and what the conversation has cost.
#[utoipa::path(
    get, path = "/conversations/{id}/context", tag = "conversations", params(("id" = ConversationId, Path)),
    responses((status = 200, body = ContextFigures), (status = 404, body = ProblemBody, content_type = "application/problem+json"))
)]
pub(super) async fn read_context(
    State(app): State<App>,
    Caller(principal): Caller,
    Id(id): Id<ConversationId>,
) -> Result<Answer<ContextFigures>> {
    Ok(Answer(app.chat.context(&principal, id).await?))
}
