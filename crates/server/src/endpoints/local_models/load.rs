//! `POST /api/v1/local-models/{name}/load`

use axum::extract::State;
use http::StatusCode;

use super::not_run;
use crate::app::App;
use crate::extract::{Administrator, Id};
use crate::problem::{ProblemBody, Result};

/// Loads a model, in its turn among the requests of others, and answers once it is loaded. It stays for as long as an idle
/// model does.
#[utoipa::path(
    post, path = "/local-models/{name}/load", tag = "local-models", params(("name" = String, Path)),
    responses(
        (status = 204),
        (status = 403, body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, body = ProblemBody, content_type = "application/problem+json"),
        (status = 502, body = ProblemBody, content_type = "application/problem+json", description = "worker_failed"),
        (status = 503, body = ProblemBody, content_type = "application/problem+json", description = "model_busy"),
    )
)]
pub(super) async fn load_local_model(
    State(app): State<App>,
    Administrator(principal): Administrator,
    Id(name): Id<String>,
) -> Result<StatusCode> {
    app.local_models.runtime.load(name, principal.user_id(), None).await.map_err(|error| not_run(&error))?;
    Ok(StatusCode::NO_CONTENT)
}
