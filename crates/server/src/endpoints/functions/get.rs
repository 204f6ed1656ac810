//! `GET /api/v1/functions/{id}`

use axum::Json;
use axum::extract::State;
use stoa_model::FunctionId;
use stoa_model::function::Function;

use crate::app::App;
use crate::extract::{Caller, Id};
use crate::problem::{ProblemBody, Result};

/// A function with its files, settings and aliases.
#[utoipa::path(
    get, path = "/functions/{id}", tag = "functions", params(("id" = FunctionId, Path)),
    responses(
        (status = 200, body = Function),
        (status = 404, body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn get_function(
    State(app): State<App>,
    Caller(principal): Caller,
    Id(id): Id<FunctionId>,
) -> Result<Json<Function>> {
    Ok(Json(app.database.function(&principal, id).await?))
}
