//! Private addresses that the server may reach, for owners and admins.

mod allow;
mod disallow;
mod list;

use serde::Serialize;
use stoa_egress::Authority;
use stoa_model::{AllowanceId, Principal, Timestamp};
use stoa_storage::StorageError;
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
    if let Err(error) = grant(app).await {
        tracing::warn!(%error, "allowed addresses could not be read again; the feed brings them");
    }
}

async fn grant(app: &App) -> Result<(), StorageError> {
    let mut before = None;
    // Read until two readings agree: somebody else's newer reading may have been overwritten with an older one.
    loop {
        let allowances = app.database.allowances(&Principal::System("egress")).await?;
        let granted: Vec<Authority> =
            allowances.iter().filter_map(|allowance| allowance.authority.parse().ok()).collect();
        if before.as_ref() == Some(&granted) {
            return Ok(());
        }
        app.egress.allowances().replace(granted.iter().cloned());
        before = Some(granted);
    }
}
