//! `GET /api/v1/functions/{id}/logs`

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use stoa_functions::Stream;
use stoa_functions_service::{LogRecord, LogSearch, Logged};
use stoa_model::{FunctionId, Timestamp};

use super::instances::version_name;
use super::problem::to_its_owner;
use crate::app::App;
use crate::extract::{Caller, Id, Query};
use crate::problem::{Problem, ProblemBody, Result};

const MOST_LINES: usize = 2_000;
/// What the installation of packages is called among the instances.
const PACKAGES: &str = "packages";
const MAX_SEARCH: usize = 200;
const MAX_NAME: usize = 200;

#[derive(Clone, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct LogQuery {
    /// Of this instance alone.
    instance: Option<String>,
    /// With an instance: lines after this number.
    after: Option<u64>,
    /// Lines with this in them, whatever the case.
    search: Option<String>,
    /// What belongs to this request, by the `X-Request-Id` that the function got: its call, lines that name it, and what its
    /// instance wrote meanwhile, if it answered no other.
    request: Option<String>,
    /// At most so many, the latest: 1 to 2,000, 500 when absent.
    limit: Option<usize>,
}

/// A line that an instance has written, or a call that is over.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct FunctionLogLine {
    instance: String,
    version: String,
    number: u64,
    at: Timestamp,
    /// `output`, `error` or `call`.
    stream: &'static str,
    /// Of a call, its method and path.
    text: String,
    /// It was longer than is kept.
    cut: bool,
    /// Of a call.
    #[schema(required)]
    call: Option<FunctionCall>,
}

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct FunctionCall {
    /// The `X-Request-Id` that the function got.
    request_id: String,
    /// Absent where there was no answer.
    #[schema(required)]
    status: Option<u16>,
    ms: u64,
    /// Empty where the version itself was called.
    alias: String,
}

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct FunctionLog {
    /// In the order of their times.
    lines: Vec<FunctionLogLine>,
    /// Lines and calls that were not written down, in what was looked at.
    lost: u64,
}

/// What instances of a function have written, how it was called, and what was written while its packages were installed
/// (as the instance `packages`). It is kept over restarts: of each function 32 MiB, of what is older than 14 days nothing.
#[utoipa::path(
    get, path = "/functions/{id}/logs", tag = "functions", params(("id" = FunctionId, Path), LogQuery),
    responses(
        (status = 200, body = FunctionLog),
        (status = 404, body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn function_logs(
    State(app): State<App>,
    Caller(principal): Caller,
    Id(id): Id<FunctionId>,
    Query(query): Query<LogQuery>,
) -> Result<Json<FunctionLog>> {
    app.database.function_code(&principal, id).await?;
    let limit = query.limit.unwrap_or(500);
    if !(1..=MOST_LINES).contains(&limit) {
        return Err(Problem::field("limit", format!("Use 1 to {MOST_LINES}.")));
    }
    if query.search.as_ref().is_some_and(|search| search.chars().count() > MAX_SEARCH) {
        return Err(Problem::field("search", format!("Use at most {MAX_SEARCH} characters.")));
    }
    for name in [&query.request, &query.instance] {
        if name.as_ref().is_some_and(|name| name.is_empty() || name.len() > MAX_NAME) {
            return Err(Problem::field("request", format!("Use 1 to {MAX_NAME} characters.")));
        }
    }
    let search = query.search.map(|search| search.to_lowercase()).filter(|search| !search.is_empty());
    let after = query.after.filter(|_| query.instance.is_some()).unwrap_or(0);
    let mut lines = Vec::new();
    let packages = query.request.is_none() && query.instance.as_deref().is_none_or(|wanted| wanted == PACKAGES);
    if let Some(build) = app.functions.build(id, after).filter(|_| packages) {
        let wanted = build.log.lines.into_iter().filter(|line| found(&line.text, search.as_deref()));
        lines.extend(wanted.map(|line| FunctionLogLine {
            instance: PACKAGES.to_owned(),
            version: String::new(),
            number: line.number,
            at: line.at,
            stream: stream(line.stream == Stream::Error),
            text: line.text,
            cut: line.cut,
            call: None,
        }));
    }
    let wanted = LogSearch {
        instance: query.instance.as_deref().map(|name| app.functions.instance_named(name)),
        after,
        text: search,
        request: query.request,
        limit,
    };
    let kept = app.functions.logs(id, wanted).await.map_err(to_its_owner)?;
    lines.extend(kept.records.into_iter().filter_map(|record| line(app.functions.instance_name(&record), record)));
    lines.sort_by_key(|line| line.at.as_millis());
    lines.drain(..lines.len().saturating_sub(limit));
    Ok(Json(FunctionLog { lines, lost: kept.lost }))
}

const fn stream(error: bool) -> &'static str {
    if error { "error" } else { "output" }
}

fn line(instance: String, record: LogRecord) -> Option<FunctionLogLine> {
    let (number, stream, text, cut, call) = match record.what {
        Logged::Line { number, error, text, cut } => (number, stream(error), text, cut, None),
        Logged::Call(call) => {
            let text = format!("{} {}", call.method, call.path);
            let told = FunctionCall { request_id: call.request, status: call.status, ms: call.ms, alias: call.alias };
            (call.number, "call", text, false, Some(told))
        }
        Logged::Lost(_) => return None,
    };
    let (version, at) = (version_name(record.version), Timestamp::from_millis(record.at));
    Some(FunctionLogLine { instance, version, number, at, stream, text, cut, call })
}

fn found(text: &str, search: Option<&str>) -> bool {
    search.is_none_or(|search| text.to_lowercase().contains(search))
}
