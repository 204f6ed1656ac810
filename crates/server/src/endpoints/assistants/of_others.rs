//! `GET /api/v1/assistants/shared`

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use stoa_model::assistant::SharedAssistant;

use crate::app::App;
use crate::extract::Caller;
use crate::problem::Result;

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct SharedAssistantList {
    items: Vec<SharedAssistant>,
}

/// Lists the assistants of others that the caller may use, by name: who they are, and nothing of what they are built on.
#[utoipa::path(
    get, path = "/assistants/shared", tag = "assistants",
    responses((status = 200, body = SharedAssistantList))
)]
pub(super) async fn list_shared_assistants(
    State(app): State<App>,
    Caller(principal): Caller,
) -> Result<Json<SharedAssistantList>> {
    Ok(Json(SharedAssistantList { items: app.database.assistants_of_others(&principal).await? }))
}
