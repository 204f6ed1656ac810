//! `GET /api/v1/functions/engine`

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use stoa_functions::Isolation;

use crate::app::App;
use crate::extract::Caller;
use crate::problem::Result;

/// Whether functions run on this server, and how well they are kept in.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct FunctionEngine {
    available: bool,
    /// Why they do not run, and what to do.
    #[schema(required)]
    reason: Option<String>,
    #[schema(required)]
    isolation: Option<Isolation>,
    /// What keeps them in, in words.
    details: Vec<String>,
    /// Whether the caller may make functions.
    may_create: bool,
}

/// Says whether functions run here, and whether the caller may make some.
#[utoipa::path(get, path = "/functions/engine", tag = "functions", responses((status = 200, body = FunctionEngine)))]
pub(super) async fn function_engine(State(app): State<App>, Caller(principal): Caller) -> Result<Json<FunctionEngine>> {
    let status = app.functions.status().await;
    let may_create = app.functions.may_make(&principal);
    // What this machine has and lacks is for those to know who look after it.
    let reason = status.reason.map(|reason| if may_create { reason } else { "Functions are off.".to_owned() });
    Ok(Json(FunctionEngine {
        available: status.capabilities.is_some(),
        reason,
        isolation: status.capabilities.as_ref().map(|capabilities| capabilities.isolation),
        details: status.capabilities.map(|capabilities| capabilities.details).unwrap_or_default(),
        may_create,
    }))
}
