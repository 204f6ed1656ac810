//! `GET /api/v1/shares`

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use stoa_model::share::Share;

use crate::app::App;
use crate::extract::Caller;
use crate::problem::{ProblemBody, Result};

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct ShareList {
    /// The newest first.
    items: Vec<Share>,
}

/// The caller's links.
#[utoipa::path(
    get, path = "/shares", tag = "sharing",
    responses((status = 200, body = ShareList), (status = 401, body = ProblemBody, content_type = "application/problem+json"))
)]
pub(super) async fn list_shares(State(app): State<App>, Caller(principal): Caller) -> Result<Json<ShareList>> {
    Ok(Json(ShareList { items: app.database.shares(&principal).await? }))
}
