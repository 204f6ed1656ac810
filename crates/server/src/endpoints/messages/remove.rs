//! `DELETE /api/v1/messages/{id}`

use axum::extract::State;
use http::StatusCode;
use stoa_model::MessageId;

use crate::app::App;
use crate::extract::{Caller, Id};
use crate::problem::{ProblemBody, Result};

/// Takes a message out of its branch: a question with its answers, an answer alone. What follows stays, and hangs under what
/// was above. It can be put back for an hour, and goes for good then. Refused with `answer_running` while it is written.
#[utoipa::path(
    delete, path = "/messages/{id}", tag = "messages", params(("id" = MessageId, Path)),
    responses(
        (status = 204),
        (status = 404, body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn remove_message(
    State(app): State<App>,
    Caller(principal): Caller,
    Id(id): Id<MessageId>,
) -> Result<StatusCode> {
    app.database.remove_message(&principal, id, app.now()).await?;
    Ok(StatusCode::NO_CONTENT)
}
