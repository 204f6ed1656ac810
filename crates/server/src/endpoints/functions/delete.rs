//! `DELETE /api/v1/functions/{id}`

use axum::extract::State;
use http::StatusCode;
use stoa_model::FunctionId;

use crate::app::App;
use crate::extract::{Caller, Id};
use crate::problem::{ProblemBody, Result};

/// Removes a function with all its versions, and the model that it was.
#[utoipa::path(
    delete, path = "/functions/{id}", tag = "functions", params(("id" = FunctionId, Path)),
    responses(
        (status = 204),
        (status = 404, body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn delete_function(
    State(app): State<App>,
    Caller(principal): Caller,
    Id(id): Id<FunctionId>,
) -> Result<StatusCode> {
    app.database.delete_function(&principal, id).await?;
    crate::endpoints::providers::in_force(&app).await;
    Ok(StatusCode::NO_CONTENT)
}
