//! `POST /api/v1/messages/{id}/threads`

use axum::Json as Answer;
use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;
use stoa_model::MessageId;
use stoa_model::conversation::Conversation;

use crate::app::App;
use crate::extract::{Caller, Id, Json};
use crate::problem::{ProblemBody, Result};

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewThread {
    /// What stands above the message belongs to the thread; else the message alone does.
    with_context: bool,
}

/// Begins a thread at a message: a conversation of its own that goes on from there, in no list but that of its conversation. It
/// is deleted, restored and kept with that one, and goes with its message. Refused in a thread, and past 200 in a conversation.
#[utoipa::path(
    post, path = "/messages/{id}/threads", tag = "messages", params(("id" = MessageId, Path)),
    request_body = NewThread,
    responses(
        (status = 201, body = Conversation),
        (status = 404, body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "Also `answer_running`, `thread_in_thread` and `too_many_threads`.",
            body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn begin_thread(
    State(app): State<App>,
    Caller(principal): Caller,
    Id(message): Id<MessageId>,
    Json(NewThread { with_context }): Json<NewThread>,
) -> Result<(StatusCode, Answer<Conversation>)> {
    let thread = app.database.create_thread(&principal, message, with_context, app.now()).await?;
    Ok((StatusCode::CREATED, Answer(thread)))
}
