//! `HEAD` and `POST /api/blobs/{digest}`: files that a model is to be made of.

use axum::extract::{Path, Request, State};
use futures_util::StreamExt as _;
use http::StatusCode;
use http_body_util::BodyStream;
use stoa_model_store::Digest;
use stoa_model_store::store::Uploaded;

use super::Ollama;
use super::caller::Manager;
use super::error::Refusal;

/// The largest file that is taken, in bytes.
const BLOB_BYTES: u64 = 1024 * 1024 * 1024 * 1024;

fn digest(text: &str) -> Result<Digest, Refusal> {
    text.parse().map_err(|_| Refusal::invalid("invalid digest format"))
}

pub(super) async fn head(
    State(state): State<Ollama>,
    _manager: Manager,
    Path(text): Path<String>,
) -> Result<StatusCode, Refusal> {
    let digest = digest(&text)?;
    let there = state.models.on_store(move |store| store.has_blob(&digest)).await?;
    if there { Ok(StatusCode::OK) } else { Err(Refusal::new(StatusCode::NOT_FOUND, "blob not found")) }
}

pub(super) async fn upload(
    State(state): State<Ollama>,
    _manager: Manager,
    Path(text): Path<String>,
    request: Request,
) -> Result<StatusCode, Refusal> {
    let digest = digest(&text)?;
    let content = BodyStream::new(request.into_body())
        .filter_map(async |frame| frame.map(|frame| frame.into_data().ok()).transpose());
    match state.models.store().upload(digest, BLOB_BYTES, Box::pin(content)).await? {
        Uploaded::Created => Ok(StatusCode::CREATED),
        Uploaded::AlreadyThere => Ok(StatusCode::OK),
    }
}
