//! `/api/v1/functions/{id}/timers`: calls at times.

use axum::Json as Answer;
use axum::extract::{Path, State};
use http::StatusCode;
use serde::Serialize;
use stoa_functions_service::{TimerError, next_run};
use stoa_model::function::{FunctionTimer, TimerProfile, label};
use stoa_model::{FunctionId, FunctionTimerId, Timestamp};

use crate::app::App;
use crate::extract::{Caller, Id, Json};
use crate::problem::{Problem, ProblemBody, Result};

const MAX_PATH: usize = 1_000;
const MAX_BODY: usize = 64 * 1024;
const MAX_CRON: usize = 100;

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct FunctionTimerList {
    items: Vec<FunctionTimer>,
}

/// Lists the timers of a function.
#[utoipa::path(
    get, path = "/functions/{id}/timers", tag = "functions", params(("id" = FunctionId, Path)),
    responses(
        (status = 200, body = FunctionTimerList),
        (status = 404, body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn list_timers(
    State(app): State<App>,
    Caller(principal): Caller,
    Id(id): Id<FunctionId>,
) -> Result<Answer<FunctionTimerList>> {
    Ok(Answer(FunctionTimerList { items: app.database.function_timers(&principal, id).await? }))
}

/// Has a function called at times, by a POST.
#[utoipa::path(
    post, path = "/functions/{id}/timers", tag = "functions", params(("id" = FunctionId, Path)),
    request_body = TimerProfile,
    responses(
        (status = 201, body = FunctionTimer),
        (status = 404, body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn create_timer(
    State(app): State<App>,
    Caller(principal): Caller,
    Id(id): Id<FunctionId>,
    Json(profile): Json<TimerProfile>,
) -> Result<(StatusCode, Answer<FunctionTimer>)> {
    let (profile, next) = checked(profile, app.now())?;
    let timer = app.database.put_function_timer(&principal, id, None, &profile, next, app.now()).await?;
    Ok((StatusCode::CREATED, Answer(timer)))
}

/// Writes all of a timer anew.
#[utoipa::path(
    put, path = "/functions/{id}/timers/{timer}", tag = "functions",
    params(("id" = FunctionId, Path), ("timer" = FunctionTimerId, Path)), request_body = TimerProfile,
    responses(
        (status = 200, body = FunctionTimer),
        (status = 404, body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn change_timer(
    State(app): State<App>,
    Caller(principal): Caller,
    path: Path<(String, String)>,
    Json(profile): Json<TimerProfile>,
) -> Result<Answer<FunctionTimer>> {
    let (id, timer) = named(path)?;
    let (profile, next) = checked(profile, app.now())?;
    Ok(Answer(app.database.put_function_timer(&principal, id, Some(timer), &profile, next, app.now()).await?))
}

/// Removes a timer.
#[utoipa::path(
    delete, path = "/functions/{id}/timers/{timer}", tag = "functions",
    params(("id" = FunctionId, Path), ("timer" = FunctionTimerId, Path)),
    responses(
        (status = 204),
        (status = 404, body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn delete_timer(
    State(app): State<App>,
    Caller(principal): Caller,
    path: Path<(String, String)>,
) -> Result<StatusCode> {
    let (id, timer) = named(path)?;
    app.database.delete_function_timer(&principal, id, timer).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn named(path: Path<(String, String)>) -> Result<(FunctionId, FunctionTimerId)> {
    let Path((id, timer)) = path;
    let not_found = |_| Problem::not_found();
    Ok((id.parse().map_err(not_found)?, timer.parse().map_err(not_found)?))
}

/// The timer as it is kept, and when it is due first.
fn checked(mut profile: TimerProfile, now: Timestamp) -> Result<(TimerProfile, Option<Timestamp>)> {
    profile.alias = label("alias", &profile.alias)?;
    profile.cron = profile.cron.trim().to_owned();
    if profile.cron.len() > MAX_CRON || profile.cron.split_whitespace().count() != 5 {
        return Err(Problem::field("cron", "Use five fields, such as `0 7 * * mon-fri`."));
    }
    let printable = profile.path.chars().all(|c| c.is_ascii_graphic());
    if !profile.path.starts_with('/') || profile.path.len() > MAX_PATH || !printable {
        return Err(Problem::field("path", "It begins with `/` and has printable ASCII only."));
    }
    if profile.body.len() > MAX_BODY {
        return Err(Problem::field("body", format!("Use at most {MAX_BODY} bytes.")));
    }
    let next = next_run(&profile.cron, &profile.time_zone, now).map_err(|error| {
        let field = if error == TimerError::TimeZone { "time_zone" } else { "cron" };
        Problem::field(field, format!("{error}."))
    })?;
    let next = next.filter(|_| profile.enabled);
    Ok((profile, next))
}
