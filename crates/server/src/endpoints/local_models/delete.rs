//! `DELETE /api/v1/local-models/{name}`

use axum::extract::State;
use http::StatusCode;

use crate::app::App;
use crate::extract::{Administrator, Id};
use crate::problem::{ProblemBody, Result};

/// Removes a model, from memory too. What other names use stays. Answers that are being written come to their end.
#[utoipa::path(
    delete, path = "/local-models/{name}", tag = "local-models", params(("name" = String, Path)),
    responses(
        (status = 204),
        (status = 403, body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn delete_local_model(
    State(app): State<App>,
    Administrator(_): Administrator,
    Id(name): Id<String>,
) -> Result<StatusCode> {
    app.local_models.delete(name).await??;
    Ok(StatusCode::NO_CONTENT)
}
