//! `POST /api/v1/assistants`

use axum::Json as Answer;
use axum::extract::State;
use http::StatusCode;
use stoa_model::assistant::{Assistant, AssistantProfile};

use super::BODY_BYTES;
use crate::app::App;
use crate::extract::{Caller, Json};
use crate::problem::{Problem, ProblemBody, Result};

/// Makes an assistant. It comes first in the list.
#[utoipa::path(
    post, path = "/assistants", tag = "assistants", request_body = AssistantProfile,
    responses(
        (status = 201, body = Assistant),
        (status = 409, body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn create_assistant(
    State(app): State<App>,
    Caller(principal): Caller,
    Json(profile): Json<AssistantProfile, BODY_BYTES>,
) -> Result<(StatusCode, Answer<Assistant>)> {
    let made = app.database.create_assistants(&principal, vec![profile.checked()?.into()], app.now()).await?;
    let made = made.into_iter().next().ok_or_else(|| Problem::internal("no assistant was made"))?;
    Ok((StatusCode::CREATED, Answer(made)))
}
