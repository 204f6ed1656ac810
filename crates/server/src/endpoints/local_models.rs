//! The models of this machine, for owners and admins: which there are, how they run, and where more come from.

mod delete;
mod list;
mod load;
mod machine;
mod pulls;
mod search;
mod suggestions;
mod unload;

use http::StatusCode;
use stoa_model::completion::CompletionError;
use stoa_model_store::StoreError;
use tokio::task::JoinError;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::problem::{Problem, chain};

/// The names of models always have a tag, so none is taken for the name of one of its neighbours.
pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list::list_local_models))
        .routes(routes!(machine::get_machine))
        .routes(routes!(suggestions::list_model_suggestions))
        .routes(routes!(search::search_models))
        .routes(routes!(delete::delete_local_model))
        .routes(routes!(load::load_local_model))
        .routes(routes!(unload::unload_local_model))
        .merge(pulls::routes())
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::NotFound { .. } | StoreError::Name(_) => unknown_model(error.to_string()),
            StoreError::DiskFull { .. } => {
                Self::new(StatusCode::INSUFFICIENT_STORAGE, "disk_full", "The disk of the models is full.")
                    .hint("Delete models that nobody uses, or make room on the disk.")
            }
            StoreError::ReadOnly { .. } => Self::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "model_store_failed",
                "The model store cannot be written to.",
            )
            .hint("Let the server's user write to the directory of the models.")
            .cause(chain(&error)),
            _ => Self::internal(chain(&error)),
        }
    }
}

impl From<JoinError> for Problem {
    fn from(error: JoinError) -> Self {
        Self::internal(error.to_string())
    }
}

fn unknown_model(detail: String) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "model_not_found", detail)
        .hint("Look at the list again: it may have been deleted.")
}

/// A model that did not run.
fn not_run(error: &CompletionError) -> Problem {
    let (status, code, detail) = match error {
        CompletionError::UnknownModel { .. } => return unknown_model(format!("{error}.")),
        CompletionError::TooMany { .. } => (StatusCode::TOO_MANY_REQUESTS, "too_many_waiting", error.to_string()),
        CompletionError::Busy { .. } => (StatusCode::SERVICE_UNAVAILABLE, "model_busy", error.to_string()),
        _ => (StatusCode::BAD_GATEWAY, error.code(), error.to_string()),
    };
    let problem = Problem::new(status, code, format!("{detail}."));
    match error {
        CompletionError::TooMany { retry_after, .. } | CompletionError::Busy { retry_after } => {
            problem.retry_after(*retry_after)
        }
        _ => problem,
    }
}
