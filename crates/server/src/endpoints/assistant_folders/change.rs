//! `PATCH /api/v1/assistant-folders/{id}`

use axum::Json as Answer;
use axum::extract::State;
use stoa_model::AssistantFolderId;
use stoa_model::assistant::{AssistantFolder, AssistantFolderChange};

use crate::app::App;
use crate::extract::{Caller, Id, Json};
use crate::problem::{ProblemBody, Result};

/// Changes what is given and leaves the rest.
#[utoipa::path(
    patch, path = "/assistant-folders/{id}", tag = "assistants", params(("id" = AssistantFolderId, Path)),
    request_body = AssistantFolderChange,
    responses(
        (status = 200, body = AssistantFolder),
        (status = 404, body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn change_assistant_folder(
    State(app): State<App>,
    Caller(principal): Caller,
    Id(id): Id<AssistantFolderId>,
    Json(change): Json<AssistantFolderChange>,
) -> Result<Answer<AssistantFolder>> {
    Ok(Answer(app.database.change_assistant_folder(&principal, id, change.checked()?).await?))
}
