//! `GET /api/v1/events`

use axum::extract::State;
use axum::response::Response;

use crate::app::App;
use crate::events_body;
use crate::extract::Caller;
use crate::problem::{ProblemBody, Result};

/// Opens the stream of a tab. Its first event, `stream`, names it; what it follows is changed by that name.
#[utoipa::path(
    get, path = "/events", tag = "events",
    responses(
        (status = 200, content_type = "text/event-stream", body = String),
        (status = 429, body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn open_events(State(app): State<App>, Caller(principal): Caller) -> Result<Response> {
    let revoked = events_body::revoked(&app, &principal);
    Ok(events_body::response(&app, app.chat.open_stream(&principal, revoked)?))
}
