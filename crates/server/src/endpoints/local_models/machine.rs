//! `GET /api/v1/local-models/machine`

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use stoa_model_store::Store;
use stoa_models::machine::Machine;

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
}

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
    let lanes = app.local_models.runtime.status().lanes;
    Ok(Json(MachineFacts {
        memory_total_bytes: machine.memory_total_bytes,
        memory_available_bytes: machine.memory_available_bytes,
        models_bytes: lanes.iter().filter_map(|lane| lane.resident_bytes).sum(),
        models_mapped_bytes: lanes.iter().filter_map(|lane| lane.mapped_bytes).sum(),
        processors: machine.processors,
        disk_free_bytes,
    }))
}

pub(super) fn facts() -> Result<Machine> {
    Machine::look().ok_or_else(|| Problem::internal("the kernel does not tell how much memory there is"))
}
