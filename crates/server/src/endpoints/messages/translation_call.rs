//! `POST /api/v1/messages/{id}/translation/call` and `PUT /api/v1/messages/{id}/translation`

use axum::Json as Answer;
use axum::extract::State;
use serde::Deserialize;
use stoa_model::MessageId;
use stoa_model::conversation::{Language, Message, Translation};

use super::{ProviderCall, TEXT_BYTES, clean_model};
use crate::app::App;
use crate::extract::{Caller, Id, Json};
use crate::problem::{Problem, ProblemBody, Result};

/// JSON may write a byte as six.
const BODY_BYTES: usize = 4 * 1024 * 1024;

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TranslationWish {
    language: Language,
    /// `~slug/name`, of the caller's own.
    model: String,
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BroughtTranslation {
    language: Language,
    /// `~slug/name`, of the caller's own.
    model: String,
    text: String,
}

/// Says what the caller's browser has to ask a model of its own for a translation. `PUT …/translation` brings what it said.
#[utoipa::path(
    post, path = "/messages/{id}/translation/call", tag = "messages", params(("id" = MessageId, Path)),
    request_body = TranslationWish,
    responses(
        (status = 200, body = ProviderCall),
        (status = 404, body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn call_for_translation(
    State(app): State<App>,
    Caller(principal): Caller,
    Id(id): Id<MessageId>,
    Json(wish): Json<TranslationWish>,
) -> Result<Answer<ProviderCall>> {
    let model = clean_model(wish.model)?;
    let call = app.chat.translation_call(&principal, id, &model, wish.language).await?;
    Ok(Answer(ProviderCall::written(call)?))
}

/// Keeps a translation that the caller's browser had made, in the place of the one before.
#[utoipa::path(
    put, path = "/messages/{id}/translation", tag = "messages", params(("id" = MessageId, Path)),
    request_body = BroughtTranslation,
    responses(
        (status = 200, body = Message),
        (status = 404, body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn bring_translation(
    State(app): State<App>,
    Caller(principal): Caller,
    Id(id): Id<MessageId>,
    Json(brought): Json<BroughtTranslation, BODY_BYTES>,
) -> Result<Answer<Message>> {
    if brought.text.len() > TEXT_BYTES {
        return Err(Problem::field("text", format!("at most {TEXT_BYTES} bytes")));
    }
    let model = clean_model(brought.model)?;
    let translation = Translation { language: brought.language, text: brought.text.trim().to_owned(), model };
    Ok(Answer(app.chat.take_translation(&principal, id, translation).await?))
}
