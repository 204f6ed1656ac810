//! `POST /api/v1/conversations`

use std::time::Duration;

use axum::Json as Answer;
use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;
use stoa_model::conversation::Conversation;
use stoa_model::{AssistantId, ProjectId};
use stoa_storage::NewConversation as Conversing;

use super::clean_title;
use crate::app::App;
use crate::extract::{Caller, Json};
use crate::problem::{ProblemBody, Result};

/// How long a temporary conversation is there at most.
const TEMPORARY: Duration = Duration::from_hours(24);

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewConversation {
    /// At most 200 characters. Without one, the first turn gives it.
    title: Option<String>,
    /// The assistant to talk to: its model and parameters become the conversation's, and its role holds.
    assistant_id: Option<AssistantId>,
    /// It is in no list and found by no search, and goes for good when it is deleted, or after a day.
    #[serde(default)]
    temporary: bool,
    /// The project that it is made in. Its model is taken where the assistant has none; its instructions hold.
    project_id: Option<ProjectId>,
}

/// Makes an empty conversation.
#[utoipa::path(
    post, path = "/conversations", tag = "conversations", request_body = NewConversation,
    responses((status = 201, body = Conversation),
        (status = 404, body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, body = ProblemBody, content_type = "application/problem+json"))
)]
pub(super) async fn create_conversation(
    State(app): State<App>,
    Caller(principal): Caller,
    Json(new): Json<NewConversation>,
) -> Result<(StatusCode, Answer<Conversation>)> {
    let title = new.title.as_deref().map(clean_title).transpose()?.filter(|title| !title.is_empty());
    let now = app.now();
    let expires_at = new.temporary.then(|| now.plus(TEMPORARY));
    let new = Conversing { title, assistant: new.assistant_id, project: new.project_id, expires_at };
    let conversation = app.database.create_conversation(&principal, new, now).await?;
    Ok((StatusCode::CREATED, Answer(conversation)))
}
