//! `POST /api/copy`: another name for a model.

use axum::extract::{Request, State};
use http::StatusCode;
use serde::Deserialize;

use super::caller::Manager;
use super::error::Refusal;
use super::{Ollama, body};

#[derive(Deserialize)]
struct Copy {
    source: String,
    destination: String,
}

pub(super) async fn copy(
    State(state): State<Ollama>,
    _manager: Manager,
    request: Request,
) -> Result<StatusCode, Refusal> {
    let Copy { source, destination } = body(request).await?;
    state.models.on_store(move |store| store.copy(&source, &destination)).await??;
    (state.models.refresh)().await;
    Ok(StatusCode::OK)
}
