//! `GET /api/v1/assistant-folders`

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use stoa_model::assistant::AssistantFolder;

use crate::app::App;
use crate::extract::Caller;
use crate::problem::Result;

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct AssistantFolderList {
    items: Vec<AssistantFolder>,
}

/// Lists the caller's folders of assistants, in the order that the caller gave them.
#[utoipa::path(
    get, path = "/assistant-folders", tag = "assistants",
    responses((status = 200, body = AssistantFolderList))
)]
pub(super) async fn list_assistant_folders(
    State(app): State<App>,
    Caller(principal): Caller,
) -> Result<Json<AssistantFolderList>> {
    Ok(Json(AssistantFolderList { items: app.database.assistant_folders(&principal).await? }))
}
