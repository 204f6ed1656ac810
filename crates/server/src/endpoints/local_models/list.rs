//! `GET /api/v1/local-models`

use std::collections::HashMap;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use stoa_model::Timestamp;
use stoa_model::completion::KeepAlive;
use stoa_model::provider::Ability;
use stoa_models::{DeviceShare, LaneState, LaneStatus, LocalModel};

use crate::app::App;
use crate::extract::Administrator;
use crate::problem::{ProblemBody, Result};

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct InstalledModelList {
    items: Vec<InstalledModel>,
    /// Whether more can be searched for.
    search: bool,
}

/// A model of the store.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct InstalledModel {
    /// As it is pulled, loaded and deleted; always with its tag.
    #[schema(examples("smollm2:135m"))]
    name: String,
    /// What its file calls it.
    title: String,
    size_bytes: u64,
    /// Weights.
    parameters: u64,
    /// How they are packed.
    #[schema(examples("Q4_K_M"))]
    quantization: String,
    architecture: String,
    /// Tokens of prompt and answer together that it gets here.
    context_window: u32,
    abilities: Vec<Ability>,
    /// Base models cannot.
    can_chat: bool,
    modified_at: Timestamp,
    /// How it runs now. Names of the same file share one worker, and say the same.
    activity: ModelActivity,
}

/// What a model is doing. Sizes are in bytes.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct ModelActivity {
    state: ModelState,
    /// Answers that it is writing.
    running: usize,
    /// Requests that wait for their turn.
    waiting: usize,
    /// Requests that it takes at once; 0 while it is not loaded.
    slots: u32,
    /// People who have something running or waiting, or asked within the last minute.
    people: usize,
    /// Memory of its worker in use.
    #[schema(required)]
    memory_bytes: Option<u64>,
    /// Of that, what lies in its file. The kernel keeps one copy of it, and takes it back when memory gets short.
    #[schema(required)]
    mapped_bytes: Option<u64>,
    /// What of it is on devices, and not on the processor.
    devices: Vec<ModelOnDevice>,
    /// Layers that it has in all; what is behind the last of them counts as one. 0 while it is not loaded.
    layers: u32,
    /// Why fewer of them are on devices than there seemed to be room for.
    #[schema(required)]
    fallback: Option<String>,
    /// When it is unloaded if nobody asks for it any more; absent while it is not loaded, or when it stays.
    #[schema(required)]
    unloads_at: Option<Timestamp>,
    /// It stays loaded until somebody unloads it.
    stays: bool,
    /// It is unloaded as soon as what runs has ended.
    unloading: bool,
    /// What went wrong last. Forgotten once the model has been away for a while.
    #[schema(required)]
    last_failure: Option<String>,
}

/// A part of a loaded model.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct ModelOnDevice {
    /// As its driver calls it.
    #[schema(examples("CUDA0"))]
    name: String,
    layers: u32,
    bytes: u64,
}

#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ModelState {
    /// Not loaded.
    Cold,
    /// Waits for another model to make room, or for the end of a pause after failures.
    Waiting,
    Loading,
    Idle,
    Busy,
}

/// Lists the models of this machine and how each runs now.
#[utoipa::path(
    get, path = "/local-models", tag = "local-models",
    responses(
        (status = 200, body = InstalledModelList),
        (status = 403, body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn list_local_models(
    State(app): State<App>,
    Administrator(_): Administrator,
) -> Result<Json<InstalledModelList>> {
    let models = app.local_models.runtime.models().await?;
    let lanes = app.local_models.runtime.status().lanes;
    let lanes: HashMap<_, _> = lanes.into_iter().map(|lane| (lane.digest.clone(), lane)).collect();
    let items = models.into_iter().map(|model| InstalledModel::new(lanes.get(&model.digest), model)).collect();
    Ok(Json(InstalledModelList { items, search: app.local_models.search.is_some() }))
}

impl InstalledModel {
    fn new(lane: Option<&LaneStatus>, model: LocalModel) -> Self {
        Self {
            title: model.display_name,
            size_bytes: model.total_bytes,
            parameters: model.parameters,
            quantization: model.quantization,
            architecture: model.architecture,
            context_window: model.context_window,
            abilities: model.abilities,
            can_chat: model.can_chat,
            modified_at: moment(model.modified_at),
            activity: lane.map(ModelActivity::of).unwrap_or_default(),
            name: model.name,
        }
    }
}

impl Default for ModelActivity {
    fn default() -> Self {
        Self {
            state: ModelState::Cold,
            running: 0,
            waiting: 0,
            slots: 0,
            people: 0,
            memory_bytes: None,
            mapped_bytes: None,
            devices: Vec::new(),
            layers: 0,
            fallback: None,
            unloads_at: None,
            stays: false,
            unloading: false,
            last_failure: None,
        }
    }
}

impl ModelActivity {
    fn of(lane: &LaneStatus) -> Self {
        let loaded = lane.slots > 0;
        Self {
            state: match lane.state {
                LaneState::Cold => ModelState::Cold,
                LaneState::Waiting => ModelState::Waiting,
                LaneState::Loading => ModelState::Loading,
                LaneState::Idle => ModelState::Idle,
                LaneState::Busy => ModelState::Busy,
            },
            running: lane.running,
            waiting: lane.queued,
            slots: lane.slots,
            people: lane.people,
            memory_bytes: lane.resident_bytes,
            mapped_bytes: lane.mapped_bytes,
            devices: lane.devices.iter().map(ModelOnDevice::of).collect(),
            layers: lane.layers,
            fallback: lane.fallback.clone().filter(|_| loaded),
            unloads_at: lane.expires_at,
            stays: loaded && lane.keep_alive == KeepAlive::Forever,
            unloading: lane.leaving,
            last_failure: lane.last_failure.clone(),
        }
    }
}

impl ModelOnDevice {
    fn of(share: &DeviceShare) -> Self {
        Self { name: share.name.clone(), layers: share.layers, bytes: share.bytes }
    }
}

fn moment(time: SystemTime) -> Timestamp {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
