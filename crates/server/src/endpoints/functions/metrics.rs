//! `GET /api/v1/functions/{id}/metrics`

mod gathered;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use stoa_functions_service::Prices;
use stoa_model::usage::UsageSum;
use stoa_model::{FunctionId, Timestamp, UserId};

use super::window::Window;
use crate::app::App;
use crate::extract::{Caller, Id, Query};
use crate::problem::{ProblemBody, Result};
use gathered::Gathered;

const MOST_HOURS: u32 = 720;

#[derive(Clone, Copy, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct MetricsQuery {
    /// The latest so many: 1 to 720, 24 when absent.
    hours: Option<u32>,
}

/// What a function did and took.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct FunctionMetrics {
    /// How long each point stands for.
    step_ms: i64,
    /// Those with calls, the oldest first.
    points: Vec<MetricsPoint>,
    totals: MetricsTotals,
    by_version: Vec<VersionShare>,
    by_caller: Vec<CallerShare>,
    cold: ColdAverages,
}

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct MetricsPoint {
    at: Timestamp,
    /// `latest`, or the number of the version.
    version: String,
    /// Empty where the version itself was called.
    alias: String,
    calls: u64,
    errors: u64,
    cold_starts: u64,
    duration_ms_sum: u64,
    #[schema(required)]
    p50_ms: Option<u64>,
    #[schema(required)]
    p95_ms: Option<u64>,
}

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct MetricsTotals {
    calls: u64,
    errors: u64,
    cold_starts: u64,
    /// Processors that were set aside while instances had something to do, in seconds.
    cpu_seconds: f64,
    /// Memory that was set aside as long as there were instances, in GB times seconds.
    gb_seconds: f64,
    /// In billionths of a dollar; none where nothing has a price.
    #[schema(required)]
    cost: Option<u64>,
    #[schema(required)]
    p50_ms: Option<u64>,
    #[schema(required)]
    p95_ms: Option<u64>,
    /// What it had models do with its own token, which is no part of `cost`.
    models: UsageSum,
}

/// How the calls of an alias went to its versions.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct VersionShare {
    version: String,
    alias: String,
    calls: u64,
    errors: u64,
    /// Of the calls of that alias, 0 to 1.
    share: f64,
    #[serde(flatten)]
    taken: Taken,
}

/// What somebody's calls took: their part, by how long they took, of what their versions did.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct CallerShare {
    who: Who,
    /// Of a person: who it is, and what they call themselves, where they are still here.
    #[schema(required)]
    user_id: Option<UserId>,
    #[schema(required)]
    name: Option<String>,
    calls: u64,
    errors: u64,
    #[serde(flatten)]
    taken: Taken,
}

#[derive(Clone, Copy, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Who {
    Person,
    /// Calls of people that are not known, timers, and what instances took that nobody called.
    Nobody,
    /// All but the hundred who took most.
    Others,
}

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct Taken {
    cpu_seconds: f64,
    gb_seconds: f64,
    /// In billionths of a dollar; none where nothing has a price.
    #[schema(required)]
    pub(super) cost: Option<u64>,
}

impl Taken {
    pub(super) fn priced(prices: Prices, cpu_us: u64, memory_mib_ms: u64, calls: u64) -> Self {
        Self {
            cpu_seconds: ratio(cpu_us, 1_000_000),
            gb_seconds: ratio(memory_mib_ms, 1_024_000),
            cost: prices.cost(cpu_us, memory_mib_ms, calls),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of calls and of microseconds")]
fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// What a cold start takes on average, in milliseconds.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct ColdAverages {
    count: u64,
    queue_ms: f64,
    sandbox_ms: f64,
    spawn_ms: f64,
    init_ms: f64,
    first_byte_ms: f64,
}

/// What a function did in the last hours, by version and alias.
#[utoipa::path(
    get, path = "/functions/{id}/metrics", tag = "functions", params(("id" = FunctionId, Path), MetricsQuery),
    responses(
        (status = 200, body = FunctionMetrics),
        (status = 404, body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn function_metrics(
    State(app): State<App>,
    Caller(principal): Caller,
    Id(id): Id<FunctionId>,
    Query(query): Query<MetricsQuery>,
) -> Result<Json<FunctionMetrics>> {
    let Window { since, step_ms } = Window::of(query.hours, MOST_HOURS, app.now())?;
    let (mut gathered, mut from) = (Gathered::new(step_ms), None);
    loop {
        let (rows, next) = app.database.function_usage(&principal, id, since, from).await?;
        gathered.add(&rows)?;
        from = next;
        if next.is_none() {
            break;
        }
    }
    let names = app.database.function_callers(&principal, id, gathered.callers()).await?;
    let models = app.database.function_models(&principal, id, since).await?;
    Ok(Json(gathered.told(app.functions.prices(), models, &names)))
}
