//! `GET /api/v1/functions/{id}/logs`

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use stoa_functions::Stream;
use stoa_model::{FunctionId, Timestamp};

use super::instances::version_name;
use crate::app::App;
use crate::extract::{Caller, Id, Query};
use crate::problem::{Problem, ProblemBody, Result};

const MOST_LINES: usize = 2_000;
/// What the installation of packages is called among the instances.
const PACKAGES: &str = "packages";
const MAX_SEARCH: usize = 200;

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
    /// At most so many, the latest: 1 to 2,000, 500 when absent.
    limit: Option<usize>,
}

/// A line that an instance has written.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct FunctionLogLine {
    instance: String,
    version: String,
    number: u64,
    at: Timestamp,
    /// `output` or `error`.
    stream: &'static str,
    text: String,
    /// It was longer than is kept.
    cut: bool,
}

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct FunctionLog {
    /// In the order of their times.
    lines: Vec<FunctionLogLine>,
    /// Lines that are not kept any more.
    lost: u64,
}

/// What instances of a function have written lately, those included that have just ended, and what was written while its
/// packages were installed (as the instance `packages`).
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
    let search = query.search.map(|search| search.to_lowercase()).filter(|search| !search.is_empty());
    let (mut lines, mut lost) = (Vec::new(), 0);
    let wanted = |name: &str| query.instance.as_deref().is_none_or(|wanted| wanted == name);
    let after = query.after.filter(|_| query.instance.is_some()).unwrap_or(0);
    let mut pages = Vec::new();
    if let Some(build) = app.functions.build(id, after).filter(|_| wanted(PACKAGES)) {
        pages.push((PACKAGES.to_owned(), String::new(), build.log));
    }
    for serving in app.functions.instances(id).await {
        let name = serving.instance.id.as_str();
        // One that is gone just now has no log any more.
        if wanted(name)
            && let Ok(page) = app.functions.logs(&serving.instance.id, after).await
        {
            pages.push((name.to_owned(), version_name(serving.version), page));
        }
    }
    for (name, version, page) in pages {
        lost += page.lost;
        lines.extend(page.lines.into_iter().filter(|line| found(&line.text, search.as_deref())).map(|line| {
            FunctionLogLine {
                instance: name.clone(),
                version: version.clone(),
                number: line.number,
                at: line.at,
                stream: if line.stream == Stream::Error { "error" } else { "output" },
                text: line.text,
                cut: line.cut,
            }
        }));
    }
    lines.sort_by(|one, other| {
        (one.at.as_millis(), &one.instance, one.number).cmp(&(other.at.as_millis(), &other.instance, other.number))
    });
    lines.drain(..lines.len().saturating_sub(limit));
    Ok(Json(FunctionLog { lines, lost }))
}

fn found(text: &str, search: Option<&str>) -> bool {
    search.is_none_or(|search| text.to_lowercase().contains(search))
}
