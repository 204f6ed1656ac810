//! `POST /api/v1/prompts`

use axum::Json as Answer;
use axum::extract::State;
use http::StatusCode;
use stoa_model::prompt::{Prompt, PromptProfile};

use super::BODY_BYTES;
use crate::app::App;
use crate::extract::{Caller, Json};
use crate::problem::{ProblemBody, Result};

/// Makes a prompt.
#[utoipa::path(
    post, path = "/prompts", tag = "prompts", request_body = PromptProfile,
    responses(
        (status = 201, body = Prompt),
        (status = 409, body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn create_prompt(
    State(app): State<App>,
    Caller(principal): Caller,
    Json(profile): Json<PromptProfile, BODY_BYTES>,
) -> Result<(StatusCode, Answer<Prompt>)> {
    let prompt = app.database.create_prompt(&principal, &profile.checked()?, app.now()).await?;
    Ok((StatusCode::CREATED, Answer(prompt)))
}
