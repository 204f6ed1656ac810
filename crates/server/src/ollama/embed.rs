//! `POST /api/embed`, and `POST /api/embeddings` as it was before.

use std::time::Instant;

use axum::Json as Reply;
use axum::extract::{Request, State};
use serde::{Deserialize, Serialize};
use stoa_model::completion::Timers;
use stoa_model::json::Json;
use stoa_models::options::KeepAlive;
use stoa_models::runtime::EmbedRequest;

use super::answer::{find, keep};
use super::caller::Caller;
use super::error::Refusal;
use super::stream::nanoseconds;
use super::{Ollama, body};
use crate::vectors;

#[derive(Deserialize)]
pub(super) struct EmbedBody {
    #[serde(default)]
    model: String,
    #[serde(default)]
    input: Input,
    #[serde(default)]
    truncate: Option<bool>,
    #[serde(default)]
    dimensions: Option<u32>,
    #[serde(default)]
    keep_alive: Json,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Input {
    One(String),
    Many(Vec<String>),
}

impl Default for Input {
    fn default() -> Self {
        Self::Many(Vec::new())
    }
}

#[derive(Serialize)]
pub(super) struct Embedded {
    model: String,
    embeddings: Vec<Vec<f32>>,
    /// Places of the inputs of which only the beginning fitted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    truncated: Vec<usize>,
    total_duration: u64,
    load_duration: u64,
    prompt_eval_count: u64,
}

/// The older request.
#[derive(Deserialize)]
struct EmbeddingBody {
    #[serde(default)]
    model: String,
    #[serde(default)]
    prompt: String,
    #[serde(default)]
    keep_alive: Json,
}

#[derive(Serialize)]
pub(super) struct Embedding {
    embedding: Vec<f64>,
    /// Only the beginning of the prompt fitted.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    truncated: bool,
}

pub(super) async fn embed(
    State(state): State<Ollama>,
    caller: Caller,
    request: Request,
) -> Result<Reply<Embedded>, Refusal> {
    run(&state, &caller, body(request).await?).await.map(Reply)
}

pub(super) async fn embed_one(
    State(state): State<Ollama>,
    caller: Caller,
    request: Request,
) -> Result<Reply<Embedding>, Refusal> {
    let asked: EmbeddingBody = body(request).await?;
    let asked = EmbedBody {
        model: asked.model,
        input: if asked.prompt.is_empty() { Input::default() } else { Input::One(asked.prompt) },
        truncate: None,
        dimensions: None,
        keep_alive: asked.keep_alive,
    };
    let embedded = run(&state, &caller, asked).await?;
    let truncated = !embedded.truncated.is_empty();
    let embedding = embedded.embeddings.into_iter().next().unwrap_or_default();
    Ok(Reply(Embedding { embedding: embedding.into_iter().map(f64::from).collect(), truncated }))
}

async fn run(state: &Ollama, caller: &Caller, asked: EmbedBody) -> Result<Embedded, Refusal> {
    let begun = Instant::now();
    let keep_alive = KeepAlive::parse(&asked.keep_alive).map_err(|error| Refusal::invalid(error.to_string()))?;
    let details = find(&state.models, &asked.model).await?;
    let inputs = match asked.input {
        Input::One(text) => vec![text],
        Input::Many(texts) => texts,
    };
    if inputs.is_empty() {
        return Ok(Embedded {
            model: asked.model,
            embeddings: Vec::new(),
            truncated: Vec::new(),
            total_duration: nanoseconds(begun.elapsed()),
            load_duration: 0,
            prompt_eval_count: 0,
        });
    }
    let request = EmbedRequest {
        model: details.model.name.to_string(),
        inputs,
        truncate: asked.truncate.unwrap_or(true),
        dimensions: asked.dimensions,
        keep_alive: keep_alive.map(keep),
        tenant: caller.0.user_id(),
        timers: Timers::default(),
    };
    let embeddings = vectors::embed(&state.app, &caller.0, request).await?;
    Ok(Embedded {
        model: asked.model,
        embeddings: embeddings.vectors,
        truncated: embeddings.truncated,
        total_duration: nanoseconds(begun.elapsed()),
        load_duration: nanoseconds(embeddings.timings.loading),
        prompt_eval_count: embeddings.prompt_tokens,
    })
}
