//! `POST /api/rerank`, which Ollama itself has not: the request of `/v1/rerank`, with this protocol's durations and errors.

use std::time::Instant;

use axum::Json as Reply;
use axum::extract::{Request, State};
use serde::{Deserialize, Serialize};
use stoa_model::json::Json;
use stoa_model::provider::LOCAL_SLUG;
use stoa_models::options::KeepAlive;

use super::answer::{find, keep};
use super::caller::Caller;
use super::error::Refusal;
use super::stream::nanoseconds;
use super::{Ollama, body};
use crate::rerank::{Asked, Document, Ranked};

#[derive(Deserialize)]
struct RerankBody {
    #[serde(default)]
    model: String,
    #[serde(default)]
    query: String,
    #[serde(default)]
    documents: Vec<Document>,
    #[serde(default)]
    top_n: Option<usize>,
    #[serde(default)]
    return_documents: Option<bool>,
    #[serde(default)]
    truncate: Option<bool>,
    #[serde(default)]
    keep_alive: Json,
}

#[derive(Serialize)]
pub(super) struct Reranked {
    model: String,
    results: Vec<Ranked>,
    total_duration: u64,
    load_duration: u64,
    prompt_eval_count: u64,
}

pub(super) async fn rerank(
    State(state): State<Ollama>,
    caller: Caller,
    request: Request,
) -> Result<Reply<Reranked>, Refusal> {
    let begun = Instant::now();
    let body: RerankBody = body(request).await?;
    let keep_alive = KeepAlive::parse(&body.keep_alive).map_err(|error| Refusal::invalid(error.to_string()))?;
    let details = find(&state.models, &body.model).await?;
    let asked = Asked {
        query: body.query,
        documents: body.documents,
        top_n: body.top_n,
        return_documents: body.return_documents.unwrap_or(false),
        truncate: body.truncate.unwrap_or(false),
        keep_alive: keep_alive.map(keep),
    };
    let model = format!("{LOCAL_SLUG}/{}", details.model.name);
    let answer = crate::rerank::rerank(&state.app, &caller.0, model, asked).await?;
    Ok(Reply(Reranked {
        model: body.model,
        results: answer.results,
        total_duration: nanoseconds(begun.elapsed()),
        load_duration: nanoseconds(answer.timings.loading),
        prompt_eval_count: answer.prompt_tokens,
    }))
}
