//! `GET /api/v1/egress/allowances`

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use super::Allowance;
use crate::app::App;
use crate::extract::Administrator;
use crate::problem::{ProblemBody, Result};

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct AllowanceList {
    items: Vec<Allowance>,
}

/// Lists the private addresses that the server may reach. Those of its configuration are not among them.
#[utoipa::path(
    get, path = "/egress/allowances", tag = "egress",
    responses((status = 200, body = AllowanceList), (status = 403, body = ProblemBody, content_type = "application/problem+json"))
)]
pub(super) async fn list_allowances(
    State(app): State<App>,
    Administrator(principal): Administrator,
) -> Result<Json<AllowanceList>> {
    let allowances = app.database.allowances(&principal).await?;
    Ok(Json(AllowanceList { items: allowances.into_iter().map(Allowance::from).collect() }))
}
