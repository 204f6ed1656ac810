//! `GET /api/v1/functions/account`, and the same of everybody for administrators: `GET /api/v1/function-accounts`

mod summed;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use stoa_model::usage::UsageSum;
use stoa_model::{FunctionId, Principal, Timestamp, UserId};
use stoa_storage::FunctionsOf;

use super::metrics::Taken;
use super::window::Window;
use crate::app::App;
use crate::extract::{Administrator, Caller, Id, Query};
use crate::problem::{ProblemBody, Result};

/// A leap year.
const MOST_HOURS: u32 = 8_784;

#[derive(Clone, Copy, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct AccountQuery {
    /// The latest so many: 1 to 8784, 24 when absent.
    hours: Option<u32>,
}

/// What the functions of a person took.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct FunctionAccount {
    /// How long each point stands for.
    step_ms: i64,
    totals: AccountSum,
    /// Those that took something, what cost most first.
    functions: Vec<AccountLine>,
    /// Those in which something was taken, the oldest first.
    points: Vec<AccountPoint>,
}

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct AccountLine {
    id: FunctionId,
    name: String,
    #[serde(flatten)]
    sum: AccountSum,
}

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct AccountSum {
    calls: u64,
    errors: u64,
    cold_starts: u64,
    #[serde(flatten)]
    taken: Taken,
    /// What they had models do with tokens of their own, which is no part of `cost`.
    models: UsageSum,
}

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct AccountPoint {
    at: Timestamp,
    calls: u64,
    errors: u64,
    #[serde(flatten)]
    taken: Taken,
    /// In billionths of a dollar, of those calls of models that had prices.
    #[schema(required)]
    models_cost: Option<u64>,
}

/// What everybody's functions took.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct FunctionAccounts {
    totals: AccountSum,
    /// Those whose functions took something, what cost most first, at most 200.
    people: Vec<PersonAccount>,
}

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct PersonAccount {
    user_id: UserId,
    name: String,
    /// How many of theirs took something.
    functions: u64,
    #[serde(flatten)]
    sum: AccountSum,
}

/// What the caller's functions took in the last hours. Those that were deleted have no account any more.
#[utoipa::path(
    get, path = "/functions/account", tag = "functions", params(AccountQuery),
    responses(
        (status = 200, body = FunctionAccount),
        (status = 422, body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn function_account(
    State(app): State<App>,
    Caller(principal): Caller,
    Query(query): Query<AccountQuery>,
) -> Result<Json<FunctionAccount>> {
    account(&app, &principal, FunctionsOf::Mine, query).await
}

/// What everybody's functions took in the last hours, by person.
#[utoipa::path(
    get, path = "/function-accounts", tag = "functions", params(AccountQuery),
    responses(
        (status = 200, body = FunctionAccounts),
        (status = 403, body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn function_accounts(
    State(app): State<App>,
    Administrator(principal): Administrator,
    Query(query): Query<AccountQuery>,
) -> Result<Json<FunctionAccounts>> {
    let Window { since, .. } = Window::of(query.hours, MOST_HOURS, app.now())?;
    let accounts = app.database.function_accounts(&principal, FunctionsOf::Everybody, since).await?;
    Ok(Json(summed::by_person(app.functions.prices(), accounts)))
}

/// What somebody's functions took in the last hours.
#[utoipa::path(
    get, path = "/function-accounts/{id}", tag = "functions", params(("id" = UserId, Path), AccountQuery),
    responses(
        (status = 200, body = FunctionAccount),
        (status = 403, body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn function_account_of(
    State(app): State<App>,
    Administrator(principal): Administrator,
    Id(id): Id<UserId>,
    Query(query): Query<AccountQuery>,
) -> Result<Json<FunctionAccount>> {
    app.database.user(&principal, id).await?;
    account(&app, &principal, FunctionsOf::Person(id), query).await
}

async fn account(
    app: &App,
    principal: &Principal,
    of: FunctionsOf,
    AccountQuery { hours }: AccountQuery,
) -> Result<Json<FunctionAccount>> {
    let Window { since, step_ms } = Window::of(hours, MOST_HOURS, app.now())?;
    let accounts = app.database.function_accounts(principal, of, since).await?;
    let points = app.database.function_points(principal, of, since, step_ms).await?;
    Ok(Json(summed::by_function(app.functions.prices(), step_ms, accounts, points)))
}
