//! Ollama's protocol on a listener of its own: any of its clients works here unchanged, as far as its key may go.
//!
//! Without a key, somebody at this machine may run models and list them; everything else asks for a key. What changes the
//! models of the machine asks for an administrator's key with the scope `models`. Every call goes through `dispatch`.

mod answer;
mod blobs;
mod caller;
mod chat;
mod copy;
mod create;
mod delete;
mod embed;
mod error;
mod generate;
mod guard;
mod images;
mod progress;
mod ps;
mod pull;
mod push;
mod rerank;
mod show;
mod stream;
mod tags;
mod version;

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{any, delete, get, head, post};
use serde::de::DeserializeOwned;
use stoa_models::protocol::MAX_IMAGES_BYTES;

use crate::app::App;
use crate::local_models::LocalModelService;
use crate::{openai, trace};
use error::Refusal;

pub(crate) use caller::at_the_machine;

/// Bytes of a JSON request.
const BODY_BYTES: usize = 8 * 1024 * 1024;

/// The same where images may be in it: four letters are three of their bytes.
const BODY_WITH_IMAGES_BYTES: usize = BODY_BYTES + MAX_IMAGES_BYTES / 3 * 4 + 1024;

/// How this door behaves.
#[derive(Clone, Debug, Default)]
pub struct OllamaOptions {
    /// The listener is bound to loopback addresses only.
    pub loopback_only: bool,
    /// Host names that the listener is reached by, beside those that only this machine and its network have.
    pub hosts: Vec<String>,
}

#[derive(Clone)]
struct Ollama {
    app: App,
    models: LocalModelService,
    options: Arc<OllamaOptions>,
}

/// The listener's application as a tower service.
pub fn ollama_application(app: App, options: OllamaOptions) -> Router {
    let loopback_only = options.loopback_only;
    let state = Ollama { app: app.clone(), models: app.local_models.clone(), options: Arc::new(options) };
    Router::new()
        .route("/", get(version::running))
        .route("/api/version", get(version::version))
        .route("/api/status", get(version::status))
        .route("/api/tags", get(tags::list))
        .route("/api/ps", get(ps::list))
        .route("/api/show", post(show::show))
        .route("/api/chat", post(chat::chat))
        .route("/api/generate", post(generate::generate))
        .route("/api/embed", post(embed::embed))
        .route("/api/embeddings", post(embed::embed_one))
        .route("/api/rerank", post(rerank::rerank))
        .route("/api/copy", post(copy::copy))
        .route("/api/delete", delete(delete::delete))
        .route("/api/create", post(create::create))
        .route("/api/blobs/{digest}", head(blobs::head).post(blobs::upload))
        .route("/api/pull", post(pull::pull))
        .route("/api/push", post(push::push))
        .route("/api/me", any(version::no_account))
        .route("/api/signout", any(version::no_account))
        .method_not_allowed_fallback(error::method_not_allowed)
        .fallback(error::not_found)
        .with_state(state.clone())
        .merge(openai::local_routes(loopback_only).with_state(app.clone()))
        .layer(from_fn_with_state(state, guard::guard))
        .layer(from_fn_with_state(app, trace::trace))
}

/// A JSON body. Fields that nobody knows are passed over, as Ollama does.
async fn body<T: DeserializeOwned>(request: axum::extract::Request) -> Result<T, Refusal> {
    body_within(request, BODY_BYTES).await
}

async fn body_with_images<T: DeserializeOwned>(request: axum::extract::Request) -> Result<T, Refusal> {
    body_within(request, BODY_WITH_IMAGES_BYTES).await
}

async fn body_within<T: DeserializeOwned>(request: axum::extract::Request, limit: usize) -> Result<T, Refusal> {
    let bytes = crate::extract::read_body(request, limit).await?;
    if bytes.trim_ascii().is_empty() {
        return Err(Refusal::invalid("missing request body"));
    }
    serde_json::from_slice(&bytes).map_err(|error| Refusal::invalid(error.to_string()))
}
