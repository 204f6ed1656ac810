//! `GET /api/v1/function-volumes/{name}`

use axum::Json;
use axum::extract::{Path, State};

use super::{VolumeView, named, view};
use crate::app::App;
use crate::extract::Caller;
use crate::problem::{ProblemBody, Result};

/// A volume, what it takes, and which functions mount it.
#[utoipa::path(
    get, path = "/function-volumes/{name}", tag = "functions", params(("name" = String, Path)),
    responses(
        (status = 200, body = VolumeView),
        (status = 404, body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn get_volume(
    State(app): State<App>,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<Json<VolumeView>> {
    let volume = named(&app, &caller, &name).await?;
    Ok(Json(view(&app, volume).await))
}
