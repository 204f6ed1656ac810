//! `POST /api/v1/messages/{id}/restore`

use axum::extract::State;
use http::StatusCode;
use stoa_model::MessageId;

use crate::app::App;
use crate::extract::{Caller, Id};
use crate::problem::{ProblemBody, Result};

/// Puts back a message that was taken out within the last hour, with what went with it, where it was.
#[utoipa::path(
    post, path = "/messages/{id}/restore", tag = "messages", params(("id" = MessageId, Path)),
    responses((status = 204), (status = 404, body = ProblemBody, content_type = "application/problem+json"))
)]
pub(super) async fn restore_message(
    State(app): State<App>,
    Caller(principal): Caller,
    Id(id): Id<MessageId>,
) -> Result<StatusCode> {
    app.database.restore_message(&principal, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
