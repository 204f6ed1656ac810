//! `/api/v1/functions/{id}/build`

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use stoa_functions_service::{BuildStatus, JobOutcome, JobState};
use stoa_model::{FunctionId, Timestamp};

use super::problem::to_its_owner;
use crate::app::App;
use crate::extract::{Caller, Id, Query};
use crate::problem::{ProblemBody, Result};

#[derive(Clone, Copy, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct BuildQuery {
    /// Lines after this number.
    after: Option<u64>,
}

#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum BuildPhase {
    /// Nothing was installed since the server has started.
    None,
    /// For its turn.
    Waiting,
    Running,
    Done,
    Failed,
}

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct BuildLine {
    number: u64,
    at: Timestamp,
    text: String,
}

/// How the latest installation of a function's packages stands.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct FunctionBuild {
    state: BuildPhase,
    /// Why it failed.
    #[schema(required)]
    reason: Option<String>,
    #[schema(required)]
    started_at: Option<Timestamp>,
    /// Before that, it is not tried again because somebody calls, since it failed.
    #[schema(required)]
    again_at: Option<Timestamp>,
    lines: Vec<BuildLine>,
}

/// How the installation of packages stands, which begins with the first call of what needs them.
#[utoipa::path(
    get, path = "/functions/{id}/build", tag = "functions", params(("id" = FunctionId, Path), BuildQuery),
    responses(
        (status = 200, body = FunctionBuild),
        (status = 404, body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn function_build(
    State(app): State<App>,
    Caller(principal): Caller,
    Id(id): Id<FunctionId>,
    Query(query): Query<BuildQuery>,
) -> Result<Json<FunctionBuild>> {
    app.database.function_code(&principal, id).await?;
    Ok(Json(match app.functions.build(id, query.after.unwrap_or(0)) {
        Some(status) => shown(status),
        None => {
            FunctionBuild { state: BuildPhase::None, reason: None, started_at: None, again_at: None, lines: Vec::new() }
        }
    }))
}

/// Installs the packages of what the next version will be made of, also where that has just failed. See how it goes by `GET`.
#[utoipa::path(
    post, path = "/functions/{id}/build", tag = "functions", params(("id" = FunctionId, Path)),
    responses(
        (status = 202),
        (status = 404, body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn build_function(
    State(app): State<App>,
    Caller(principal): Caller,
    Id(id): Id<FunctionId>,
) -> Result<StatusCode> {
    app.database.function_code(&principal, id).await?;
    app.functions.build_again(id).await.map_err(to_its_owner)?;
    Ok(StatusCode::ACCEPTED)
}

fn shown(status: BuildStatus) -> FunctionBuild {
    let (state, reason) = match status.state {
        JobState::Waiting => (BuildPhase::Waiting, None),
        JobState::Running => (BuildPhase::Running, None),
        JobState::Over { outcome: JobOutcome::Done } => (BuildPhase::Done, None),
        JobState::Over { outcome } => (BuildPhase::Failed, Some(outcome.to_string())),
    };
    let line = |line: stoa_functions::LogLine| BuildLine { number: line.number, at: line.at, text: line.text };
    let lines = status.log.lines.into_iter().map(line).collect();
    FunctionBuild { state, reason, started_at: Some(status.started_at), again_at: status.again_at, lines }
}
