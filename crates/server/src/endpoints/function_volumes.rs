//! Volumes of functions: folders that functions of one person share, and what is in them. Nobody else sees them,
//! administrators included.

mod change;
mod content;
mod create;
mod delete;
mod files;
mod get;
mod list;
mod problem;

use serde::Serialize;
use stoa_model::function::label;
use stoa_model::volume::FunctionVolume;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::extract::Caller;
use crate::problem::{Problem, Result};

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list::list_volumes, create::create_volume))
        .routes(routes!(get::get_volume, change::change_volume, delete::delete_volume))
        .routes(routes!(files::list_volume_files, files::put_volume_file, files::delete_volume_file))
        .routes(routes!(content::get_volume_file))
}

/// A volume and what it takes.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct VolumeView {
    #[serde(flatten)]
    volume: FunctionVolume,
    /// Bytes on the disk, as they were measured a moment ago. None where the disk cannot be reached now.
    #[schema(required)]
    used_bytes: Option<u64>,
    /// Files and folders.
    #[schema(required)]
    entries: Option<u64>,
    /// Why nothing more can be written, if that is so.
    #[schema(required)]
    full: Option<String>,
}

async fn view(app: &App, volume: FunctionVolume) -> VolumeView {
    let measured = app.functions.measure_volume(&volume).await;
    VolumeView {
        used_bytes: measured.as_ref().map(|measured| measured.bytes),
        entries: measured.as_ref().map(|measured| measured.entries),
        full: measured.and_then(|measured| measured.fault(volume.most_bytes())),
        volume,
    }
}

/// The caller's own volume of that name.
async fn named(app: &App, Caller(principal): &Caller, name: &str) -> Result<FunctionVolume> {
    let name = label("name", name).map_err(|_| Problem::not_found())?;
    Ok(app.database.function_volume(principal, &name).await?)
}
