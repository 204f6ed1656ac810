//! `POST /api/v1/local-models/{name}/unload`

use axum::extract::State;
use http::StatusCode;

use super::not_run;
use crate::app::App;
use crate::extract::{Administrator, Id};
use crate::problem::{ProblemBody, Result};

/// Unloads a model as soon as what runs has ended; nothing new begins until then. It is loaded again when somebody asks.
#[utoipa::path(
    post, path = "/local-models/{name}/unload", tag = "local-models", params(("name" = String, Path)),
    responses(
        (status = 204),
        (status = 403, body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn unload_local_model(
    State(app): State<App>,
    Administrator(_): Administrator,
    Id(name): Id<String>,
) -> Result<StatusCode> {
    app.local_models.runtime.unload_model(name).await.map_err(|error| not_run(&error))?;
    Ok(StatusCode::NO_CONTENT)
}
