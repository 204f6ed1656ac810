//! `DELETE /api/v1/projects/{id}`

use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;
use stoa_model::ProjectId;
use stoa_storage::Leftover;

use crate::app::App;
use crate::extract::{Caller, Id, Query};
use crate::problem::{ProblemBody, Result};

#[derive(Clone, Copy, Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Conversations {
    /// They stay, without a project.
    #[default]
    Keep,
    /// They are deleted, and can each be restored for 30 days.
    Delete,
}

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct DeleteQuery {
    /// What becomes of the conversations in it; `keep` when absent.
    #[serde(default)]
    #[param(inline)]
    conversations: Conversations,
}

/// Deletes a project for good; its conversations stay, or are deleted with it.
#[utoipa::path(
    delete, path = "/projects/{id}", tag = "projects", params(("id" = ProjectId, Path), DeleteQuery),
    responses((status = 204), (status = 404, body = ProblemBody, content_type = "application/problem+json"))
)]
pub(super) async fn delete_project(
    State(app): State<App>,
    Caller(principal): Caller,
    Id(id): Id<ProjectId>,
    Query(query): Query<DeleteQuery>,
) -> Result<StatusCode> {
    let leftover = match query.conversations {
        Conversations::Keep => Leftover::Keep,
        Conversations::Delete => Leftover::Delete,
    };
    app.database.delete_project(&principal, id, leftover, app.now()).await?;
    Ok(StatusCode::NO_CONTENT)
}
