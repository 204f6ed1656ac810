//! `POST /api/v1/assistant-folders`

use axum::Json as Answer;
use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;
use stoa_model::assistant::{AssistantFolder, folder_name};

use crate::app::App;
use crate::extract::{Caller, Json};
use crate::problem::{ProblemBody, Result};

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewAssistantFolder {
    /// 1 to 80 characters.
    name: String,
}

/// Makes a folder for assistants, after those that are there.
#[utoipa::path(
    post, path = "/assistant-folders", tag = "assistants", request_body = NewAssistantFolder,
    responses(
        (status = 201, body = AssistantFolder),
        (status = 409, body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn create_assistant_folder(
    State(app): State<App>,
    Caller(principal): Caller,
    Json(new): Json<NewAssistantFolder>,
) -> Result<(StatusCode, Answer<AssistantFolder>)> {
    let name = folder_name(&new.name)?;
    let made = app.database.create_assistant_folder(&principal, name, app.now()).await?;
    Ok((StatusCode::CREATED, Answer(made)))
}
