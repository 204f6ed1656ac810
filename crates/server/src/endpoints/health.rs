//! `GET /health/live` and `GET /health/ready`: for whatever restarts the server or sends traffic to it.

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use http::StatusCode;

use crate::app::App;
use crate::problem::{Problem, Result};

pub(crate) fn routes() -> Router<App> {
    Router::new().route("/health/live", get(live)).route("/health/ready", get(ready))
}

/// The process answers.
async fn live() -> &'static str {
    "live\n"
}

/// The process can serve: its database answers.
async fn ready(State(app): State<App>) -> Result<&'static str> {
    match app.database.ping().await {
        Ok(()) => Ok("ready\n"),
        Err(error) => {
            let cause = crate::problem::chain(&error);
            let detail = "The database cannot be reached now.";
            Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "database_unavailable", detail).cause(cause))
        }
    }
}
