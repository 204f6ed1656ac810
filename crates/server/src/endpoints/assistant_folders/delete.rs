//! `DELETE /api/v1/assistant-folders/{id}`

use axum::extract::State;
use http::StatusCode;
use stoa_model::AssistantFolderId;

use crate::app::App;
use crate::extract::{Caller, Id};
use crate::problem::{ProblemBody, Result};

/// Takes a folder away. Its assistants stay, in no folder.
#[utoipa::path(
    delete, path = "/assistant-folders/{id}", tag = "assistants", params(("id" = AssistantFolderId, Path)),
    responses((status = 204), (status = 404, body = ProblemBody, content_type = "application/problem+json"))
)]
pub(super) async fn delete_assistant_folder(
    State(app): State<App>,
    Caller(principal): Caller,
    Id(id): Id<AssistantFolderId>,
) -> Result<StatusCode> {
    app.database.delete_assistant_folder(&principal, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
