//! `PATCH /api/v1/function-volumes/{name}`

use axum::Json as Answer;
use axum::extract::{Path, State};
use serde::Deserialize;
use stoa_model::volume;
use stoa_storage::VolumeChange;

use super::{VolumeView, named, view};
use crate::app::App;
use crate::extract::{Caller, Json};
use crate::problem::{ProblemBody, Result};

/// What is absent stays.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChangeVolume {
    description: Option<String>,
    size_mib: Option<u32>,
}

/// Changes what is said of a volume, or how large it may be, which holds at once. Nothing in it goes.
#[utoipa::path(
    patch, path = "/function-volumes/{name}", tag = "functions", params(("name" = String, Path)),
    request_body = ChangeVolume,
    responses(
        (status = 200, body = VolumeView),
        (status = 404, body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, body = ProblemBody, content_type = "application/problem+json", description = "volumes_too_large"),
        (status = 422, body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn change_volume(
    State(app): State<App>,
    caller: Caller,
    Path(name): Path<String>,
    Json(change): Json<ChangeVolume>,
) -> Result<Answer<VolumeView>> {
    let old = named(&app, &caller, &name).await?;
    let change = VolumeChange {
        description: change.description.as_deref().map(volume::description).transpose()?,
        size_mib: change.size_mib.map(volume::size).transpose()?,
    };
    let changed = app.functions.change_volume(&caller.0, &old.name, change).await?;
    Ok(Answer(view(&app, changed).await))
}
