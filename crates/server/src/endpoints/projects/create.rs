//! `POST /api/v1/projects`

use axum::Json as Answer;
use axum::extract::State;
use http::StatusCode;
use stoa_model::project::{Project, ProjectProfile};

use super::BODY_BYTES;
use crate::app::App;
use crate::extract::{Caller, Json};
use crate::problem::{ProblemBody, Result};

/// Makes a project.
#[utoipa::path(
    post, path = "/projects", tag = "projects", request_body = ProjectProfile,
    responses(
        (status = 201, body = Project),
        (status = 409, body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn create_project(
    State(app): State<App>,
    Caller(principal): Caller,
    Json(profile): Json<ProjectProfile, BODY_BYTES>,
) -> Result<(StatusCode, Answer<Project>)> {
    let project = app.database.create_project(&principal, &profile.checked()?, app.now()).await?;
    Ok((StatusCode::CREATED, Answer(project)))
}
