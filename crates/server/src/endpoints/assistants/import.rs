//! `POST /api/v1/assistants/import`

use axum::Json as Answer;
use axum::extract::State;
use http::StatusCode;
use stoa_storage::{MAX_ASSISTANTS, NewAssistant};

use super::filed::AssistantFile;
use super::list::AssistantList;
use super::{FORMAT, VERSION};
use crate::app::App;
use crate::extract::{Caller, Json};
use crate::problem::{Problem, ProblemBody, Result};

/// Bytes of a file. A hundred long roles, and as many pictures.
const FILE_BYTES: usize = 16 * 1024 * 1024;

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
    if file.assistants.len() as u64 > MAX_ASSISTANTS {
        return Err(Problem::field("assistants", format!("at most {MAX_ASSISTANTS}")));
    }
    // Nothing is made of a file that does not fit, and no picture before that is known.
    let mut checked = Vec::with_capacity(file.assistants.len());
    for filed in file.assistants {
        let picture = filed.picture()?;
        checked.push((filed.profile.checked()?, picture));
    }
    let admitted = app.files.admit(&app, &principal).await?;
    let mut new = Vec::with_capacity(checked.len());
    for (profile, picture) in checked {
        let picture = match picture {
            Some(bytes) => Some(app.files.keep_face(&app, bytes.into()).await?),
            None => None,
        };
        new.push(NewAssistant { profile, picture });
    }
    drop(admitted);
    let items = app.database.create_assistants(&principal, new, app.now()).await?;
    Ok((StatusCode::CREATED, Answer(AssistantList { items })))
}
