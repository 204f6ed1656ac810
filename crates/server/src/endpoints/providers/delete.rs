//! `DELETE /api/v1/providers/{id}`

use axum::extract::State;
use http::StatusCode;
use stoa_model::ProviderId;

use super::in_force;
use crate::app::App;
use crate::extract::{Administrator, Id};
use crate::problem::{ProblemBody, Result};

/// Deletes a provider with its key and models. What its models have answered stays.
#[utoipa::path(
    delete, path = "/providers/{id}", tag = "providers", params(("id" = ProviderId, Path)),
    responses((status = 204), (status = 404, body = ProblemBody, content_type = "application/problem+json"))
)]
pub(super) async fn delete_provider(
    State(app): State<App>,
    Administrator(principal): Administrator,
    Id(id): Id<ProviderId>,
) -> Result<StatusCode> {
    app.database.delete_provider(&principal, id).await?;
    in_force(&app).await;
    Ok(StatusCode::NO_CONTENT)
}
