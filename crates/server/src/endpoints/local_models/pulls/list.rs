//! `GET /api/v1/local-models/pulls`

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use super::ModelPull;
use crate::app::App;
use crate::extract::Administrator;
use crate::problem::ProblemBody;

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct ModelPullList {
    /// The latest first.
    items: Vec<ModelPull>,
}

/// Lists the pulls that run, and those that have ended and were not dismissed.
#[utoipa::path(
    get, path = "/local-models/pulls", tag = "local-models",
    responses(
        (status = 200, body = ModelPullList),
        (status = 403, body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn list_model_pulls(State(app): State<App>, Administrator(_): Administrator) -> Json<ModelPullList> {
    Json(ModelPullList { items: app.local_models.pulls.list().into_iter().map(ModelPull::from).collect() })
}
