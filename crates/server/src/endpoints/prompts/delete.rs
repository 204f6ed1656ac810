//! `DELETE /api/v1/prompts/{id}`

use axum::extract::State;
use http::StatusCode;
use stoa_model::PromptId;

use crate::app::App;
use crate::extract::{Caller, Id};
use crate::problem::{ProblemBody, Result};

/// Deletes a prompt for good.
#[utoipa::path(
    delete, path = "/prompts/{id}", tag = "prompts", params(("id" = PromptId, Path)),
    responses((status = 204), (status = 404, body = ProblemBody, content_type = "application/problem+json"))
)]
pub(super) async fn delete_prompt(
    State(app): State<App>,
    Caller(principal): Caller,
    Id(id): Id<PromptId>,
) -> Result<StatusCode> {
    app.database.delete_prompt(&principal, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
