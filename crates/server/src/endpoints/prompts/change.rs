//! `PUT /api/v1/prompts/{id}`

use axum::Json as Answer;
use axum::extract::State;
use stoa_model::PromptId;
use stoa_model::prompt::{Prompt, PromptProfile};

use super::BODY_BYTES;
use crate::app::App;
use crate::extract::{Caller, Id, Json};
use crate::problem::{ProblemBody, Result};

/// Writes all of a prompt anew.
#[utoipa::path(
    put, path = "/prompts/{id}", tag = "prompts", params(("id" = PromptId, Path)), request_body = PromptProfile,
    responses(
        (status = 200, body = Prompt),
        (status = 404, body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn change_prompt(
    State(app): State<App>,
    Caller(principal): Caller,
    Id(id): Id<PromptId>,
    Json(profile): Json<PromptProfile, BODY_BYTES>,
) -> Result<Answer<Prompt>> {
    Ok(Answer(app.database.change_prompt(&principal, id, &profile.checked()?, app.now()).await?))
}
