//! `/`, `/api/version`, `/api/status`, and what belongs to an account at ollama.com, which nobody has here.

use axum::Json;
use http::StatusCode;
use serde_json::{Value, json};

use super::error::Refusal;

/// The version of the protocol that is spoken here.
const PROTOCOL: &str = "0.33.0";

pub(super) async fn running() -> &'static str {
    "Ollama is running"
}

pub(super) async fn version() -> Json<Value> {
    Json(json!({ "version": PROTOCOL, "stoa": env!("CARGO_PKG_VERSION") }))
}

pub(super) async fn status() -> Json<Value> {
    Json(json!({ "cloud": { "disabled": true, "source": "config" } }))
}

pub(super) async fn no_account() -> Refusal {
    Refusal::new(StatusCode::UNAUTHORIZED, "there is no account of ollama.com here")
}
