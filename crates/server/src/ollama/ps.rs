//! `GET /api/ps`: the models that are loaded.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use stoa_model::Timestamp;
use stoa_model_store::StoreError;
use stoa_models::{LaneState, LaneStatus};

use super::Ollama;
use super::caller::Caller;
use super::error::Refusal;
use super::tags::Details;

/// When a model that stays for ever goes, for clients that must show a time.
const FOREVER: Timestamp = Timestamp::from_millis(253_402_300_799_000);

#[derive(Serialize)]
pub(super) struct Loaded {
    models: Vec<LoadedModel>,
}

#[derive(Serialize)]
struct LoadedModel {
    name: String,
    model: String,
    /// Memory in use, in bytes, that of graphics processors included.
    size: u64,
    digest: String,
    details: Details,
    expires_at: Timestamp,
    /// The part of it on graphics processors.
    size_vram: u64,
    context_length: u32,
}

/// The one that stays longest comes first.
pub(super) async fn list(State(state): State<Ollama>, _caller: Caller) -> Result<Json<Loaded>, Refusal> {
    let mut models = Vec::new();
    for lane in state.models.runtime.status().lanes {
        if !matches!(lane.state, LaneState::Idle | LaneState::Busy) {
            continue;
        }
        let name = lane.model.clone();
        match state.models.on_store(move |store| store.find(&name)).await? {
            Ok(model) => models.push(loaded(&lane, &model)),
            // Removed while it runs: nobody can ask for it any more.
            Err(StoreError::NotFound { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    models.sort_by_key(|model| std::cmp::Reverse(model.expires_at));
    Ok(Json(Loaded { models }))
}

fn loaded(lane: &LaneStatus, model: &stoa_model_store::StoredModel) -> LoadedModel {
    let size_vram = lane.devices.iter().map(|share| share.bytes).sum();
    LoadedModel {
        name: lane.model.clone(),
        model: lane.model.clone(),
        size: lane.resident_bytes.map_or(model.total_bytes, |bytes| bytes.saturating_add(size_vram)),
        digest: model.manifest_digest.hex().to_owned(),
        details: Details::of(&model.gguf),
        expires_at: lane.expires_at.unwrap_or(FOREVER),
        size_vram,
        context_length: lane.context_window,
    }
}
