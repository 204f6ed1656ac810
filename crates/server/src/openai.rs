//! `/v1`: the OpenAI protocol, by API key, through the same dispatch as the chat.

use axum::Router;

use crate::app::App;

pub(crate) fn routes() -> Router<App> {
    Router::new()
}
