//! `GET /api/v1/projects/{id}`

use axum::Json;
use axum::extract::State;
use stoa_model::ProjectId;
use stoa_model::project::Project;

use crate::app::App;
use crate::extract::{Caller, Id};
use crate::problem::{ProblemBody, Result};

/// One project.
#[utoipa::path(
    get, path = "/projects/{id}", tag = "projects", params(("id" = ProjectId, Path)),
    responses((status = 200, body = Project), (status = 404, body = ProblemBody, content_type = "application/problem+json"))
)]
pub(super) async fn get_project(
    State(app): State<App>,
    Caller(principal): Caller,
    Id(id): Id<ProjectId>,
) -> Result<Json<Project>> {
    Ok(Json(app.database.project(&principal, id).await?))
}
