//! `DELETE /api/v1/generations/{id}`

use axum::extract::State;
use http::StatusCode;
use stoa_model::GenerationId;

use crate::app::App;
use crate::extract::{Caller, Id};
use crate::problem::{ProblemBody, Result};

/// Stops an answer, wherever it is written. What was written stays. No fault when it has ended.
#[utoipa::path(
    delete, path = "/generations/{id}", tag = "generations", params(("id" = GenerationId, Path)),
    responses((status = 204), (status = 404, body = ProblemBody, content_type = "application/problem+json"))
)]
pub(super) async fn stop_generation(
    State(app): State<App>,
    Caller(principal): Caller,
    Id(id): Id<GenerationId>,
) -> Result<StatusCode> {
    app.chat.stop(&principal, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
