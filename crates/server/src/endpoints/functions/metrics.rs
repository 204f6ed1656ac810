//! `GET /api/v1/functions/{id}/metrics`

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use stoa_functions_service::{ColdSums, Latencies};
use stoa_model::{FunctionId, Timestamp};
use stoa_storage::FunctionUsage;

use super::instances::version_name;
use crate::app::App;
use crate::extract::{Caller, Id, Query};
use crate::problem::{Problem, ProblemBody, Result};

const MOST_HOURS: u32 = 720;
const HOUR_MS: i64 = 3_600_000;

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
    #[schema(required)]
    p50_ms: Option<u64>,
    #[schema(required)]
    p95_ms: Option<u64>,
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

#[derive(Default)]
struct Sums {
    calls: u64,
    errors: u64,
    cold_starts: u64,
    duration_us: u64,
    latencies: Latencies,
    cold: ColdSums,
}

impl Sums {
    fn add(&mut self, row: &FunctionUsage) -> Result<()> {
        let broken = |error: serde_json::Error| Problem::internal(error.to_string());
        self.calls += row.calls;
        self.errors += row.errors;
        self.cold_starts += row.cold_starts;
        self.duration_us += row.duration_us;
        self.latencies.merge(&serde_json::from_value(row.latencies.clone()).map_err(broken)?);
        self.cold.merge(&serde_json::from_value(row.cold.clone()).map_err(broken)?);
        Ok(())
    }
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
    let hours = query.hours.unwrap_or(24);
    if !(1..=MOST_HOURS).contains(&hours) {
        return Err(Problem::field("hours", format!("Use 1 to {MOST_HOURS}.")));
    }
    let step_ms = step(hours);
    let since = app.now().as_millis() - i64::from(hours) * HOUR_MS;
    let since = since.div_euclid(step_ms) * step_ms;
    let rows = app.database.function_usage(&principal, id, Timestamp::from_millis(since)).await?;
    Ok(Json(summed(&rows, step_ms)?))
}

/// At most some hundred points.
const fn step(hours: u32) -> i64 {
    match hours {
        0..=3 => 60_000,
        4..=48 => 10 * 60_000,
        49..=168 => HOUR_MS,
        _ => 4 * HOUR_MS,
    }
}

fn summed(rows: &[FunctionUsage], step_ms: i64) -> Result<FunctionMetrics> {
    let (mut all, mut cpu_us, mut memory) = (Sums::default(), 0, 0);
    let mut points = BTreeMap::<(i64, Option<u32>, &str), Sums>::new();
    let mut versions = BTreeMap::<(&str, Option<u32>), (u64, u64)>::new();
    let mut aliases = BTreeMap::<&str, u64>::new();
    for row in rows {
        cpu_us += row.cpu_us;
        memory += row.memory_mib_ms;
        if row.calls == 0 {
            continue;
        }
        all.add(row)?;
        let at = row.minute.as_millis().div_euclid(step_ms) * step_ms;
        points.entry((at, row.version, &row.alias)).or_default().add(row)?;
        let (calls, errors) = versions.entry((&row.alias, row.version)).or_default();
        *calls += row.calls;
        *errors += row.errors;
        *aliases.entry(&row.alias).or_default() += row.calls;
    }
    let points = points.into_iter().map(|((at, version, alias), sums)| MetricsPoint {
        at: Timestamp::from_millis(at),
        version: version_name(version),
        alias: alias.to_owned(),
        calls: sums.calls,
        errors: sums.errors,
        cold_starts: sums.cold_starts,
        duration_ms_sum: sums.duration_us / 1_000,
        p50_ms: sums.latencies.quantile_ms(0.5),
        p95_ms: sums.latencies.quantile_ms(0.95),
    });
    let by_version = versions.into_iter().map(|((alias, version), (calls, errors))| VersionShare {
        version: version_name(version),
        alias: alias.to_owned(),
        calls,
        errors,
        share: ratio(calls, aliases.get(alias).copied().unwrap_or(0)),
    });
    let cold = |micros: u64| ratio(micros, all.cold_starts) / 1_000.0;
    Ok(FunctionMetrics {
        step_ms,
        points: points.collect(),
        by_version: by_version.collect(),
        cold: ColdAverages {
            count: all.cold_starts,
            queue_ms: cold(all.cold.queue_us),
            sandbox_ms: cold(all.cold.sandbox_us),
            spawn_ms: cold(all.cold.spawn_us),
            init_ms: cold(all.cold.init_us),
            first_byte_ms: cold(all.cold.first_byte_us),
        },
        totals: MetricsTotals {
            calls: all.calls,
            errors: all.errors,
            cold_starts: all.cold_starts,
            cpu_seconds: ratio(cpu_us, 1_000_000),
            gb_seconds: ratio(memory, 1_024_000),
            p50_ms: all.latencies.quantile_ms(0.5),
            p95_ms: all.latencies.quantile_ms(0.95),
        },
    })
}

#[expect(clippy::cast_precision_loss, reason = "counts of calls and of microseconds")]
fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}
