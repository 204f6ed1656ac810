//! `GET /api/v1/assistants`

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use stoa_model::assistant::Assistant;

use crate::app::App;
use crate::extract::Caller;
use crate::problem::Result;

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct AssistantList {
    pub(super) items: Vec<Assistant>,
}

/// Lists the caller's assistants, pinned ones first, then in the order that the caller gave them.
#[utoipa::path(
    get, path = "/assistants", tag = "assistants",
    responses((status = 200, body = AssistantList))
)]
pub(super) async fn list_assistants(State(app): State<App>, Caller(principal): Caller) -> Result<Json<AssistantList>> {
    Ok(Json(AssistantList { items: app.database.assistants(&principal).await? }))
}
