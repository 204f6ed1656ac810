//! `POST /api/v1/messages/{id}/continue`

use axum::Json as Answer;
use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;
use stoa_model::MessageId;
use stoa_storage::NewTurn;

use super::Turn;
use crate::app::App;
use crate::extract::{Caller, Id, Json};
use crate::problem::{ProblemBody, Result};

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Continue {}

/// Lets an answer that ended early go on where it stopped.
#[utoipa::path(
    post, path = "/messages/{id}/continue", tag = "messages", params(("id" = MessageId, Path)),
    request_body = Continue,
    responses(
        (status = 202, body = Turn),
        (status = 404, body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn continue_message(
    State(app): State<App>,
    Caller(principal): Caller,
    Id(answer): Id<MessageId>,
    Json(Continue {}): Json<Continue>,
) -> Result<(StatusCode, Answer<Turn>)> {
    let turn = app.chat.begin(&principal, NewTurn::Continue { answer }).await?;
    Ok((StatusCode::ACCEPTED, Answer(Turn::begun(turn)?)))
}
