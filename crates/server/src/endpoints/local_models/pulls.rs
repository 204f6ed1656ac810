//! Models that are being brought from their registries. They go on in the server whatever the browser does.

mod cancel;
mod dismiss;
mod list;
mod start;

use http::StatusCode;
use serde::Serialize;
use stoa_model::{PullId, Timestamp};
use stoa_model_store::PullState;
use stoa_model_store::pulls::PullRefusal;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::problem::Problem;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list::list_model_pulls, start::start_model_pull))
        .routes(routes!(dismiss::dismiss_model_pull))
        .routes(routes!(cancel::cancel_model_pull))
}

/// One pull, as it stands. Sizes are in bytes.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct ModelPull {
    id: PullId,
    name: String,
    state: ModelPullState,
    /// What it is at, in the words of Ollama.
    step: String,
    /// Of the whole model. Never goes back.
    completed_bytes: u64,
    /// 0 until the registry has said it.
    total_bytes: u64,
    started_at: Timestamp,
    #[schema(required)]
    ended_at: Option<Timestamp>,
    #[schema(required)]
    failure: Option<ModelPullFailure>,
}

#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ModelPullState {
    Running,
    Done,
    /// What it had brought is kept: the next pull goes on from there.
    Cancelled,
    /// What it had brought is kept, unless it was wrong.
    Failed,
}

/// Why a pull failed.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct ModelPullFailure {
    /// As in problem details.
    code: String,
    detail: String,
    /// The private `host:port` that an admin may allow, where that is what stands in the way.
    #[serde(skip_serializing_if = "Option::is_none")]
    authority: Option<String>,
}

impl From<stoa_model_store::Pull> for ModelPull {
    fn from(pull: stoa_model_store::Pull) -> Self {
        let (state, failure) = match pull.state {
            PullState::Running => (ModelPullState::Running, None),
            PullState::Done => (ModelPullState::Done, None),
            PullState::Cancelled => (ModelPullState::Cancelled, None),
            PullState::Failed(failure) => (ModelPullState::Failed, Some(failure)),
        };
        Self {
            id: pull.id,
            name: pull.name.to_string(),
            state,
            step: pull.step,
            completed_bytes: pull.completed_bytes,
            total_bytes: pull.total_bytes,
            started_at: pull.started_at,
            ended_at: pull.ended_at,
            failure: failure.map(|failure| ModelPullFailure {
                code: failure.code.to_owned(),
                detail: failure.detail,
                authority: failure.authority,
            }),
        }
    }
}

impl From<PullRefusal> for Problem {
    fn from(refusal: PullRefusal) -> Self {
        match refusal {
            PullRefusal::NotFound => Self::not_found(),
            PullRefusal::TooMany => Self::new(StatusCode::CONFLICT, "too_many_pulls", format!("{refusal}."))
                .hint("Wait for one of them to end, or cancel one."),
            PullRefusal::Running => {
                Self::conflict("pull_running", "This model is still being pulled.").hint("Cancel it first.")
            }
        }
    }
}
