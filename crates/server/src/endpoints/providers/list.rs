//! `GET /api/v1/providers`

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use stoa_model::provider::Provider;

use crate::app::App;
use crate::extract::Administrator;
use crate::problem::{ProblemBody, Result};

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct ProviderList {
    items: Vec<Provider>,
}

/// Lists the providers with their models, the oldest first. Keys are never shown.
#[utoipa::path(
    get, path = "/providers", tag = "providers",
    responses((status = 200, body = ProviderList), (status = 403, body = ProblemBody, content_type = "application/problem+json"))
)]
pub(super) async fn list_providers(
    State(app): State<App>,
    Administrator(principal): Administrator,
) -> Result<Json<ProviderList>> {
    Ok(Json(ProviderList { items: app.database.providers(&principal).await? }))
}
