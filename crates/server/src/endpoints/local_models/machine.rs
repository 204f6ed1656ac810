//! `GET /api/v1/local-models/machine`

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use stoa_model_store::Store;
use stoa_models::machine::Machine;
use stoa_models::protocol::DeviceKind;
use stoa_models::{DeviceStatus, EngineStatus};

use crate::app::App;
use crate::extract::Administrator;
use crate::problem::{Problem, ProblemBody, Result};

/// What the machine has. Sizes are in bytes.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct MachineFacts {
    /// Of the machine, or what its container may have of it.
    memory_total_bytes: u64,
    /// What programs can still have. Weights that the kernel would take back are in it.
    memory_available_bytes: u64,
    /// What the workers of all loaded models hold, weights included.
    models_bytes: u64,
    /// Of that, what lies in the files of the models.
    models_mapped_bytes: u64,
    processors: usize,
    /// Free where the models are kept.
    disk_free_bytes: u64,
    /// Graphics processors that models may use.
    devices: Vec<DeviceFacts>,
    /// Programs that were to compute on such, and are left out.
    failed_engines: Vec<FailedEngine>,
}

/// A graphics processor.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct DeviceFacts {
    #[schema(examples("CUDA0"))]
    name: String,
    #[schema(examples("NVIDIA GeForce RTX 4090"))]
    description: String,
    kind: DeviceSort,
    /// The program that computes on it.
    engine: String,
    total_bytes: u64,
    /// As its driver tells; some do not count, and tell the total for ever.
    free_bytes: u64,
    /// What loaded models hold of it.
    models_bytes: u64,
    /// What they may hold of it together.
    bound_bytes: u64,
    /// The tests of the project compute on such a device. Others were never tried.
    verified: bool,
}

#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum DeviceSort {
    /// With memory of its own.
    Discrete,
    /// It shares the memory of the machine.
    Integrated,
    /// It computes on the processor, for tests.
    Software,
}

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct FailedEngine {
    /// Of its file.
    name: String,
    reason: String,
}

/// How old what drivers say may be: asking them starts a program.
const DEVICES_AGE: Duration = Duration::from_secs(10);

/// Tells the memory, the processors and the disk of the machine that runs the models.
#[utoipa::path(
    get, path = "/local-models/machine", tag = "local-models",
    responses(
        (status = 200, body = MachineFacts),
        (status = 403, body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn get_machine(State(app): State<App>, Administrator(_): Administrator) -> Result<Json<MachineFacts>> {
    let disk_free_bytes = app.local_models.on_store(Store::free_bytes).await??;
    let machine = facts()?;
    app.local_models.runtime.look_at_devices(DEVICES_AGE).await;
    let status = app.local_models.runtime.status();
    let lanes = status.lanes;
    Ok(Json(MachineFacts {
        memory_total_bytes: machine.memory_total_bytes,
        memory_available_bytes: machine.memory_available_bytes,
        models_bytes: lanes.iter().filter_map(|lane| lane.resident_bytes).sum(),
        models_mapped_bytes: lanes.iter().filter_map(|lane| lane.mapped_bytes).sum(),
        processors: machine.processors,
        disk_free_bytes,
        devices: status.devices.into_iter().map(DeviceFacts::from).collect(),
        failed_engines: status.engines.into_iter().filter_map(FailedEngine::of).collect(),
    }))
}

impl From<DeviceStatus> for DeviceFacts {
    fn from(status: DeviceStatus) -> Self {
        let DeviceStatus { engine, device, bound_bytes, models_bytes, .. } = status;
        Self {
            // Hardware is not among what this is tested with.
            verified: device.kind == DeviceKind::Software,
            kind: match device.kind {
                DeviceKind::Discrete => DeviceSort::Discrete,
                DeviceKind::Integrated => DeviceSort::Integrated,
                DeviceKind::Software => DeviceSort::Software,
            },
            name: device.name,
            description: device.description,
            engine,
            total_bytes: device.total_bytes,
            free_bytes: device.free_bytes,
            models_bytes,
            bound_bytes,
        }
    }
}

impl FailedEngine {
    fn of(engine: EngineStatus) -> Option<Self> {
        Some(Self { name: engine.name, reason: engine.devices.err()? })
    }
}

pub(super) fn facts() -> Result<Machine> {
    Machine::look().ok_or_else(|| Problem::internal("the kernel does not tell how much memory there is"))
}
