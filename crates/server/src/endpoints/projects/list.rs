//! `GET /api/v1/projects`

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use stoa_model::project::Project;

use crate::app::App;
use crate::extract::Caller;
use crate::problem::Result;

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct ProjectList {
    items: Vec<Project>,
}

/// Lists the caller's projects by their names, all at once: there are at most 500.
#[utoipa::path(get, path = "/projects", tag = "projects", responses((status = 200, body = ProjectList)))]
pub(super) async fn list_projects(State(app): State<App>, Caller(principal): Caller) -> Result<Json<ProjectList>> {
    Ok(Json(ProjectList { items: app.database.projects(&principal).await? }))
}
