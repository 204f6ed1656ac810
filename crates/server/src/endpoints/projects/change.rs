//! `PUT /api/v1/projects/{id}`

use axum::Json as Answer;
use axum::extract::State;
use stoa_model::ProjectId;
use stoa_model::project::{Project, ProjectProfile};

use super::BODY_BYTES;
use crate::app::App;
use crate::extract::{Caller, Id, Json};
use crate::problem::{ProblemBody, Result};

/// Writes all of a project anew. New instructions hold from the next turn of every conversation in it; the model is that of
/// new conversations.
#[utoipa::path(
    put, path = "/projects/{id}", tag = "projects", params(("id" = ProjectId, Path)), request_body = ProjectProfile,
    responses(
        (status = 200, body = Project),
        (status = 404, body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn change_project(
    State(app): State<App>,
    Caller(principal): Caller,
    Id(id): Id<ProjectId>,
    Json(profile): Json<ProjectProfile, BODY_BYTES>,
) -> Result<Answer<Project>> {
    Ok(Answer(app.database.change_project(&principal, id, &profile.checked()?, app.now()).await?))
}
