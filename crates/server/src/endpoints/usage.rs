//! `GET /api/v1/usage`: what models were asked for, in numbers.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use stoa_model::usage::{DailyUsage, PersonalUsage};
use stoa_storage::{UsageLimit, UsageOf, UsageSpan};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::extract::{Caller, Query};
use crate::problem::{Problem, ProblemBody, Result};

/// A year, a leap year too.
const DAYS: u16 = 366;
/// Clocks are at most so far from UTC.
const OFFSET_MINUTES: i16 = 14 * 60;
/// 50 models on each day of a year.
const SUMS: UsageLimit = UsageLimit(18_300);
const PEOPLE: UsageLimit = UsageLimit(200);

#[derive(Clone, Copy, Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
enum Whose {
    #[default]
    Mine,
    /// For admins.
    Everybody,
}

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct UsageQuery {
    /// How many days, today the last of them: 1 to 366; 30 when absent.
    #[param(minimum = 1, maximum = 366)]
    days: Option<u16>,
    /// How far the caller's clock is ahead of UTC, which says where a day begins: -840 to 840.
    #[param(minimum = -840, maximum = 840)]
    #[serde(default)]
    utc_offset_minutes: i16,
    #[serde(default)]
    #[param(inline)]
    of: Whose,
}

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct UsageReport {
    /// One model on one day, the latest day first. Days without calls are left out. At most 18,300, the oldest left out.
    days: Vec<DailyUsage>,
    /// Who has used the most tokens first, at most 200; only of everybody.
    people: Vec<PersonalUsage>,
}

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(usage))
}

/// Sums up the ledger of model calls: the caller's own, or everybody's for an admin.
#[utoipa::path(
    get, path = "/usage", tag = "usage", params(UsageQuery),
    responses(
        (status = 200, body = UsageReport),
        (status = 400, body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, body = ProblemBody, content_type = "application/problem+json"),
    )
)]
async fn usage(
    State(app): State<App>,
    Caller(principal): Caller,
    Query(query): Query<UsageQuery>,
) -> Result<Json<UsageReport>> {
    let days = query.days.unwrap_or(30);
    if !(1..=DAYS).contains(&days) {
        return Err(Problem::bad_request("invalid_query", format!("`days` must be between 1 and {DAYS}.")));
    }
    if !(-OFFSET_MINUTES..=OFFSET_MINUTES).contains(&query.utc_offset_minutes) {
        let detail = format!("`utc_offset_minutes` must be between -{OFFSET_MINUTES} and {OFFSET_MINUTES}.");
        return Err(Problem::bad_request("invalid_query", detail));
    }
    let span = UsageSpan { until: app.now(), days, utc_offset_minutes: query.utc_offset_minutes };
    let database = &app.database;
    let usage = match query.of {
        Whose::Mine => {
            UsageReport { days: database.daily_usage(&principal, UsageOf::Mine, span, SUMS).await?, people: Vec::new() }
        }
        Whose::Everybody => UsageReport {
            days: database.daily_usage(&principal, UsageOf::Everybody, span, SUMS).await?,
            people: database.usage_by_person(&principal, span, PEOPLE).await?,
        },
    };
    Ok(Json(usage))
}
