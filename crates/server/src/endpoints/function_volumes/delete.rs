//! `DELETE /api/v1/function-volumes/{name}`

use axum::extract::{Path, State};
use http::StatusCode;

use super::named;
use crate::app::App;
use crate::extract::Caller;
use crate::problem::{ProblemBody, Result};

/// Removes a volume with all that is in it. Not while a function's settings mount it, or a version that an alias leads to.
#[utoipa::path(
    delete, path = "/function-volumes/{name}", tag = "functions", params(("name" = String, Path)),
    responses(
        (status = 204),
        (status = 404, body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, body = ProblemBody, content_type = "application/problem+json", description = "volume_in_use"),
    )
)]
pub(super) async fn delete_volume(
    State(app): State<App>,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<StatusCode> {
    let volume = named(&app, &caller, &name).await?;
    app.functions.remove_volume(&caller.0, &volume.name).await?;
    Ok(StatusCode::NO_CONTENT)
}
