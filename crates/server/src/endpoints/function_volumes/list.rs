//! `GET /api/v1/function-volumes`

use axum::Json;
use axum::extract::State;
use futures_util::future::join_all;
use serde::Serialize;

use super::{VolumeView, view};
use crate::app::App;
use crate::extract::Caller;
use crate::problem::Result;

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct VolumeList {
    items: Vec<VolumeView>,
    /// Whether the caller may make more.
    may_create: bool,
    /// The sizes of all of them.
    assigned_mib: u64,
    /// What those may be together.
    most_mib: u64,
}

/// Lists the caller's volumes by their names, all at once: there are at most 20.
#[utoipa::path(get, path = "/function-volumes", tag = "functions", responses((status = 200, body = VolumeList)))]
pub(super) async fn list_volumes(State(app): State<App>, Caller(principal): Caller) -> Result<Json<VolumeList>> {
    let volumes = app.database.function_volumes(&principal).await?;
    let assigned_mib = volumes.iter().map(|volume| u64::from(volume.size_mib)).sum();
    let items = join_all(volumes.into_iter().map(|volume| view(&app, volume))).await;
    let (may_create, most_mib) = (app.functions.may_make(&principal), app.functions.volumes_mib());
    Ok(Json(VolumeList { items, may_create, assigned_mib, most_mib }))
}
