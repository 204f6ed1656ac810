//! `GET /api/v1/prompts`

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use stoa_model::prompt::Prompt;

use crate::app::App;
use crate::extract::Caller;
use crate::problem::Result;

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct PromptList {
    items: Vec<Prompt>,
}

/// Lists the caller's prompts by their names, all at once: there are at most 500.
#[utoipa::path(get, path = "/prompts", tag = "prompts", responses((status = 200, body = PromptList)))]
pub(super) async fn list_prompts(State(app): State<App>, Caller(principal): Caller) -> Result<Json<PromptList>> {
    Ok(Json(PromptList { items: app.database.prompts(&principal).await? }))
}
