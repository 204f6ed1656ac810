//! `POST` and `DELETE /api/v1/messages/{id}/summary`

use axum::Json as Answer;
use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;
use stoa_model::MessageId;
use stoa_model::conversation::Message;

use super::clean_model;
use crate::app::App;
use crate::extract::{Caller, Id, Json};
use crate::problem::{ProblemBody, Result};

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SumUp {
    /// Another model than that of the conversation.
    model: Option<String>,
}

/// Sums up a branch to this answer, which takes as long as the model needs. From then on models get the summary in the place of
/// this answer and of all above it.
#[utoipa::path(
    post, path = "/messages/{id}/summary", tag = "messages", params(("id" = MessageId, Path)),
    request_body = SumUp,
    responses(
        (status = 200, body = Message),
        (status = 404, body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, body = ProblemBody, content_type = "application/problem+json"),
        (status = 502, body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn sum_up(
    State(app): State<App>,
    Caller(principal): Caller,
    Id(id): Id<MessageId>,
    Json(wish): Json<SumUp>,
) -> Result<Answer<Message>> {
    let model = wish.model.map(clean_model).transpose()?;
    Ok(Answer(app.chat.sum_up(&principal, id, model).await?))
}

/// Takes a summary back: models get the messages themselves again, and nothing more is summed up by itself in this conversation.
#[utoipa::path(
    delete, path = "/messages/{id}/summary", tag = "messages", params(("id" = MessageId, Path)),
    responses((status = 204), (status = 404, body = ProblemBody, content_type = "application/problem+json"))
)]
pub(super) async fn forget_summary(
    State(app): State<App>,
    Caller(principal): Caller,
    Id(id): Id<MessageId>,
) -> Result<StatusCode> {
    app.database.forget_summary(&principal, id, app.now()).await?;
    Ok(StatusCode::NO_CONTENT)
}
