//! `DELETE /api/v1/local-models/pulls/{id}`

use axum::extract::State;
use http::StatusCode;
use stoa_model::PullId;

use crate::app::App;
use crate::extract::{Administrator, Id};
use crate::problem::{ProblemBody, Result};

/// Takes a pull that has ended off the list.
#[utoipa::path(
    delete, path = "/local-models/pulls/{id}", tag = "local-models", params(("id" = PullId, Path)),
    responses(
        (status = 204),
        (status = 403, body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, body = ProblemBody, content_type = "application/problem+json", description = "pull_running"),
    )
)]
pub(super) async fn dismiss_model_pull(
    State(app): State<App>,
    Administrator(_): Administrator,
    Id(id): Id<PullId>,
) -> Result<StatusCode> {
    app.local_models.pulls.dismiss(id)?;
    Ok(StatusCode::NO_CONTENT)
}
