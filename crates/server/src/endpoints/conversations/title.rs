//! `POST /api/v1/conversations/{id}/title/call` and `PUT /api/v1/conversations/{id}/title`

use axum::Json as Answer;
use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;
use stoa_model::ConversationId;

use crate::app::App;
use crate::endpoints::messages::ProviderCall;
use crate::extract::{Caller, Id, Json};
use crate::problem::{Problem, ProblemBody, Result};

/// Bytes of what a model wrote for a title.
const TITLE_BYTES: usize = 1_000;

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TitleWish {}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BroughtTitle {
    /// As the model wrote it. What is no title is left aside.
    text: String,
}

/// Says what the caller's browser has to ask for the title of a conversation that has just begun with a model of its own.
/// `PUT …/title` brings what it said. Not found where no model writes titles.
#[utoipa::path(
    post, path = "/conversations/{id}/title/call", tag = "conversations", params(("id" = ConversationId, Path)),
    request_body = TitleWish,
    responses((status = 200, body = ProviderCall), (status = 404, body = ProblemBody, content_type = "application/problem+json"))
)]
pub(super) async fn call_for_title(
    State(app): State<App>,
    Caller(principal): Caller,
    Id(id): Id<ConversationId>,
    Json(TitleWish {}): Json<TitleWish>,
) -> Result<Answer<ProviderCall>> {
    Ok(Answer(ProviderCall::written(app.chat.title_call(&principal, id).await?)?))
}

/// Takes a title that a model wrote for the caller's browser, unless somebody has given one.
#[utoipa::path(
    put, path = "/conversations/{id}/title", tag = "conversations", params(("id" = ConversationId, Path)),
    request_body = BroughtTitle,
    responses(
        (status = 204),
        (status = 404, body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn bring_title(
    State(app): State<App>,
    Caller(principal): Caller,
    Id(id): Id<ConversationId>,
    Json(BroughtTitle { text }): Json<BroughtTitle>,
) -> Result<StatusCode> {
    if text.len() > TITLE_BYTES {
        return Err(Problem::field("text", format!("at most {TITLE_BYTES} bytes")));
    }
    app.chat.take_title(&principal, id, &text).await?;
    Ok(StatusCode::NO_CONTENT)
}
