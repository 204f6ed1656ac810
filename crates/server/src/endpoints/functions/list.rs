//! `GET /api/v1/functions`

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use stoa_model::function::Language;
use stoa_model::{FunctionId, Timestamp};

use crate::app::App;
use crate::extract::Caller;
use crate::problem::Result;

/// A line of the list.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct FunctionSummary {
    id: FunctionId,
    name: String,
    title: String,
    description: String,
    language: Language,
    updated_at: Timestamp,
    #[schema(required)]
    latest_version: Option<u32>,
    /// Instances that run now on this server.
    instances: usize,
    /// The id of the model that it is, if it is one.
    #[schema(required)]
    model: Option<String>,
}

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct FunctionList {
    items: Vec<FunctionSummary>,
}

/// Lists the caller's functions by their names, all at once: there are at most 200.
#[utoipa::path(get, path = "/functions", tag = "functions", responses((status = 200, body = FunctionList)))]
pub(super) async fn list_functions(State(app): State<App>, Caller(principal): Caller) -> Result<Json<FunctionList>> {
    let lines = app.database.functions(&principal).await?;
    let running = app.functions.running_instances().await;
    let items = lines.into_iter().map(|line| FunctionSummary {
        instances: running.get(&line.id).copied().unwrap_or(0),
        id: line.id,
        name: line.name,
        title: line.profile.title,
        description: line.profile.description,
        language: line.language,
        updated_at: line.updated_at,
        latest_version: line.latest_version,
        model: line.model,
    });
    Ok(Json(FunctionList { items: items.collect() }))
}
