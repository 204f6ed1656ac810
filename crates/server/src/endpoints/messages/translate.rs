//! `POST` and `DELETE /api/v1/messages/{id}/translation`

use axum::Json as Answer;
use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;
use stoa_model::MessageId;
use stoa_model::conversation::{Language, Message};

use super::clean_model;
use crate::app::App;
use crate::extract::{Caller, Id, Json};
use crate::problem::{ProblemBody, Result};

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Translate {
    language: Language,
    /// Another model than the answer's own; for a question, than that of its conversation.
    model: Option<String>,
}

/// Translates a message, which takes as long as the model needs, and keeps the translation in the place of the one before.
#[utoipa::path(
    post, path = "/messages/{id}/translation", tag = "messages", params(("id" = MessageId, Path)),
    request_body = Translate,
    responses(
        (status = 200, body = Message),
        (status = 404, body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, body = ProblemBody, content_type = "application/problem+json"),
        (status = 502, body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn translate_message(
    State(app): State<App>,
    Caller(principal): Caller,
    Id(id): Id<MessageId>,
    Json(wish): Json<Translate>,
) -> Result<Answer<Message>> {
    let model = wish.model.map(clean_model).transpose()?;
    Ok(Answer(app.chat.translate(&principal, id, model, wish.language).await?))
}

/// Forgets the translation of a message.
#[utoipa::path(
    delete, path = "/messages/{id}/translation", tag = "messages", params(("id" = MessageId, Path)),
    responses((status = 204), (status = 404, body = ProblemBody, content_type = "application/problem+json"))
)]
pub(super) async fn forget_translation(
    State(app): State<App>,
    Caller(principal): Caller,
    Id(id): Id<MessageId>,
) -> Result<StatusCode> {
    app.database.keep_translation(&principal, id, None).await?;
    Ok(StatusCode::NO_CONTENT)
}
