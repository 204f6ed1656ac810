//! `POST /api/v1/conversations`

use axum::Json as Answer;
use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;
use stoa_model::conversation::Conversation;

use super::clean_title;
use crate::app::App;
use crate::extract::{Caller, Json};
use crate::problem::{Problem, ProblemBody, Result};

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewConversation {
    /// At most 200 characters. Without one, the first turn gives it.
    title: Option<String>,
    /// The assistant to talk to. There are none yet, so any id is not found.
    assistant_id: Option<String>,
}

/// Makes an empty conversation.
#[utoipa::path(
    post, path = "/conversations", tag = "conversations", request_body = NewConversation,
    responses((status = 201, body = Conversation), (status = 422, body = ProblemBody, content_type = "application/problem+json"))
)]
pub(super) async fn create_conversation(
    State(app): State<App>,
    Caller(principal): Caller,
    Json(new): Json<NewConversation>,
) -> Result<(StatusCode, Answer<Conversation>)> {
    if new.assistant_id.is_some() {
        return Err(Problem::not_found());
    }
    let title = new.title.as_deref().map(clean_title).transpose()?.filter(|title| !title.is_empty());
    let conversation = app.database.create_conversation(&principal, title, app.now()).await?;
    Ok((StatusCode::CREATED, Answer(conversation)))
}
