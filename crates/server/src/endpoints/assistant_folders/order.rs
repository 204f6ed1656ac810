//! `PUT /api/v1/assistant-folders/order`

use std::collections::HashSet;

use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;
use stoa_model::AssistantFolderId;
use stoa_model::assistant::MAX_ASSISTANT_FOLDERS;

use crate::app::App;
use crate::extract::{Caller, Json};
use crate::problem::{Problem, ProblemBody, Result};

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AssistantFolderOrder {
    /// Each at most once. Those that are not named come after these, in the order that they have.
    ids: Vec<AssistantFolderId>,
}

/// Puts the caller's folders of assistants in order.
#[utoipa::path(
    put, path = "/assistant-folders/order", tag = "assistants", request_body = AssistantFolderOrder,
    responses(
        (status = 204),
        (status = 404, body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn order_assistant_folders(
    State(app): State<App>,
    Caller(principal): Caller,
    Json(AssistantFolderOrder { ids }): Json<AssistantFolderOrder>,
) -> Result<StatusCode> {
    let different: HashSet<_> = ids.iter().collect();
    if different.len() != ids.len() || ids.len() as u64 > MAX_ASSISTANT_FOLDERS {
        return Err(Problem::field("ids", format!("at most {MAX_ASSISTANT_FOLDERS}, each once")));
    }
    app.database.order_assistant_folders(&principal, &ids).await?;
    Ok(StatusCode::NO_CONTENT)
}
