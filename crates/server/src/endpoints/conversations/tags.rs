//! `GET /api/v1/tags`

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use stoa_model::conversation::TagCount;

use crate::app::App;
use crate::extract::Caller;
use crate::problem::Result;

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct TagList {
    items: Vec<TagCount>,
}

/// Lists the tags of the caller's conversations, archived ones too, in alphabetical order.
#[utoipa::path(get, path = "/tags", tag = "conversations", responses((status = 200, body = TagList)))]
pub(super) async fn list_tags(State(app): State<App>, Caller(principal): Caller) -> Result<Json<TagList>> {
    Ok(Json(TagList { items: app.database.tags(&principal).await? }))
}
