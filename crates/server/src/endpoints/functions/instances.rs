//! `GET /api/v1/functions/{id}/instances`

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use stoa_functions::{ColdStart, State as InstanceState};
use stoa_functions_service::ServingInstance;
use stoa_model::{FunctionId, Timestamp};

use crate::app::App;
use crate::extract::{Caller, Id};
use crate::problem::{ProblemBody, Result};

#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum InstancePhase {
    Pending,
    Starting,
    Ready,
    /// Takes memory, and no processor.
    Frozen,
    Stopping,
    Stopped,
}

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct FunctionInstance {
    id: String,
    /// `latest`, or the number of the version.
    version: String,
    state: InstancePhase,
    /// Why it ended.
    #[schema(required)]
    reason: Option<String>,
    created_at: Timestamp,
    /// When it came into its state.
    since: Timestamp,
    #[schema(required)]
    ready_at: Option<Timestamp>,
    cold_start: ColdStartTimes,
}

/// What the time of a start went into, in milliseconds.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct ColdStartTimes {
    queue_ms: f64,
    sandbox_ms: f64,
    spawn_ms: f64,
    init_ms: f64,
    /// Whether an interpreter was waiting.
    from_pool: bool,
}

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct FunctionInstanceList {
    items: Vec<FunctionInstance>,
}

/// Lists the instances of a function on this server, and the latest that have ended.
#[utoipa::path(
    get, path = "/functions/{id}/instances", tag = "functions", params(("id" = FunctionId, Path)),
    responses(
        (status = 200, body = FunctionInstanceList),
        (status = 404, body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn list_instances(
    State(app): State<App>,
    Caller(principal): Caller,
    Id(id): Id<FunctionId>,
) -> Result<Json<FunctionInstanceList>> {
    app.database.function_code(&principal, id).await?;
    let mut items: Vec<_> = app.functions.instances(id).await.into_iter().map(instance).collect();
    items.sort_by_key(|instance| std::cmp::Reverse(instance.created_at.as_millis()));
    Ok(Json(FunctionInstanceList { items }))
}

/// How a version is named to people.
pub(crate) fn version_name(version: Option<u32>) -> String {
    version.map_or_else(|| "latest".to_owned(), |number| number.to_string())
}

fn instance(serving: ServingInstance) -> FunctionInstance {
    let ServingInstance { version, instance } = serving;
    let reason = match &instance.state {
        InstanceState::Stopped { reason } => Some(reason.to_string()),
        _ => None,
    };
    let state = match instance.state {
        InstanceState::Pending => InstancePhase::Pending,
        InstanceState::Starting => InstancePhase::Starting,
        InstanceState::Ready => InstancePhase::Ready,
        InstanceState::Frozen => InstancePhase::Frozen,
        InstanceState::Stopping => InstancePhase::Stopping,
        InstanceState::Stopped { .. } => InstancePhase::Stopped,
    };
    let ColdStart { queue, sandbox, spawn, init, from_pool, .. } = instance.cold_start;
    FunctionInstance {
        id: instance.id.as_str().to_owned(),
        version: version_name(version),
        state,
        reason,
        created_at: instance.created_at,
        since: instance.since,
        ready_at: instance.ready_at,
        cold_start: ColdStartTimes {
            queue_ms: ms(queue),
            sandbox_ms: ms(sandbox),
            spawn_ms: ms(spawn),
            init_ms: ms(init),
            from_pool,
        },
    }
}

/// With tenths, as much of this is short.
fn ms(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 10_000.0).round() / 10.0
}
