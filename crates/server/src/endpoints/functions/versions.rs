//! `GET /api/v1/functions/{id}/versions`

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use stoa_model::FunctionId;
use stoa_model::function::FunctionVersion;

use crate::app::App;
use crate::extract::{Caller, Id};
use crate::problem::{ProblemBody, Result};

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct FunctionVersionList {
    items: Vec<FunctionVersion>,
}

/// Lists the versions of a function, the newest first.
#[utoipa::path(
    get, path = "/functions/{id}/versions", tag = "functions", params(("id" = FunctionId, Path)),
    responses(
        (status = 200, body = FunctionVersionList),
        (status = 404, body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn list_function_versions(
    State(app): State<App>,
    Caller(principal): Caller,
    Id(id): Id<FunctionId>,
) -> Result<Json<FunctionVersionList>> {
    Ok(Json(FunctionVersionList { items: app.database.function_versions(&principal, id).await? }))
}
