//! Brings every write that was begun to its end, although the client goes away in the middle of it.
//!
//! The server stops a request as soon as its connection is gone. A change of rights that is stopped between its commit
//! and the word to whoever must hear of it, or a new password between itself and the end of the other sessions, would
//! leave what an attacker could make use of.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use crate::app::App;
use crate::problem::Problem;

pub(crate) async fn to_the_end(State(app): State<App>, request: Request, next: Next) -> Response {
    if request.method().is_safe() {
        return next.run(request).await;
    }
    // On the tracker, so that shutdown waits for it.
    match app.door.tasks().spawn(next.run(request)).await {
        Ok(response) => response,
        Err(error) => Problem::internal(error.to_string()).into_response(),
    }
}
