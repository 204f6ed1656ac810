//! `GET /api/v1/providers/{id}`

use axum::Json;
use axum::extract::State;
use stoa_model::ProviderId;
use stoa_model::provider::Provider;

use crate::app::App;
use crate::extract::{Administrator, Id};
use crate::problem::{ProblemBody, Result};

/// One provider with its models.
#[utoipa::path(
    get, path = "/providers/{id}", tag = "providers", params(("id" = ProviderId, Path)),
    responses((status = 200, body = Provider), (status = 404, body = ProblemBody, content_type = "application/problem+json"))
)]
pub(super) async fn get_provider(
    State(app): State<App>,
    Administrator(principal): Administrator,
    Id(id): Id<ProviderId>,
) -> Result<Json<Provider>> {
    Ok(Json(app.database.provider(&principal, id).await?.provider))
}
