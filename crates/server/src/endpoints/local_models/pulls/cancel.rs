//! `POST /api/v1/local-models/pulls/{id}/cancel`

use axum::Json;
use axum::extract::State;
use stoa_model::PullId;

use super::ModelPull;
use crate::app::App;
use crate::extract::{Administrator, Id};
use crate::problem::{ProblemBody, Result};

/// Stops a pull. What it has brought is kept: the next pull of the model goes on from there. One that has ended stays as it
/// is.
#[utoipa::path(
    post, path = "/local-models/pulls/{id}/cancel", tag = "local-models", params(("id" = PullId, Path)),
    responses(
        (status = 200, body = ModelPull),
        (status = 403, body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn cancel_model_pull(
    State(app): State<App>,
    Administrator(_): Administrator,
    Id(id): Id<PullId>,
) -> Result<Json<ModelPull>> {
    Ok(Json(app.local_models.pulls.cancel(id)?.into()))
}
