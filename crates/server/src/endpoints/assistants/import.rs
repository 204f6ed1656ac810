//! `POST /api/v1/assistants/import`

use axum::Json as Answer;
use axum::extract::State;
use http::StatusCode;
use stoa_model::assistant::AssistantProfile;

use super::list::AssistantList;
use super::{AssistantFile, FORMAT, VERSION};
use crate::app::App;
use crate::extract::{Caller, Json};
use crate::problem::{Problem, ProblemBody, Result};

/// Bytes of a file. A hundred long roles.
const FILE_BYTES: usize = 8 * 1024 * 1024;

/// Makes all assistants of a file, or none of them.
#[utoipa::path(
    post, path = "/assistants/import", tag = "assistants", request_body = AssistantFile,
    responses(
        (status = 201, body = AssistantList),
        (status = 409, body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn import_assistants(
    State(app): State<App>,
    Caller(principal): Caller,
    Json(file): Json<AssistantFile, FILE_BYTES>,
) -> Result<(StatusCode, Answer<AssistantList>)> {
    if file.format != FORMAT {
        return Err(Problem::field("format", "this file holds no assistants of Stoa"));
    }
    if file.version != VERSION {
        return Err(Problem::field("version", "the file was written by a newer Stoa"));
    }
    let profiles = file.assistants.into_iter().map(AssistantProfile::checked).collect::<std::result::Result<_, _>>()?;
    let items = app.database.create_assistants(&principal, profiles, app.now()).await?;
    Ok((StatusCode::CREATED, Answer(AssistantList { items })))
}
