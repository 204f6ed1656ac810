//! Private addresses that the server may reach, for owners and admins.

mod allow;
mod disallow;
mod list;

use serde::Serialize;
use stoa_model::{AllowanceId, Timestamp};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list::list_allowances, allow::create_allowance))
        .routes(routes!(disallow::delete_allowance))
}

/// A private `host:port` that the server may reach.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct Allowance {
    id: AllowanceId,
    authority: String,
    created_at: Timestamp,
}

impl From<stoa_storage::Allowance> for Allowance {
    fn from(allowance: stoa_storage::Allowance) -> Self {
        Self { id: allowance.id, authority: allowance.authority, created_at: allowance.created_at }
    }
}

/// Puts a change in force here before it is answered; other replicas hear of it by the feed.
async fn in_force(app: &App) {
    if let Err(error) = crate::allowances::load_allowances(&app.database, &app.egress).await {
        tracing::warn!(%error, "allowed addresses could not be read again; the feed brings them");
    }
}
