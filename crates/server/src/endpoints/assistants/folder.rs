//! `PUT /api/v1/assistants/{id}/folder`

use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;
use stoa_model::{AssistantFolderId, AssistantId};

use crate::app::App;
use crate::extract::{Caller, Id, Json};
use crate::problem::{ProblemBody, Result};

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AssistantPlace {
    /// A folder of the caller's; absent or `null` for none.
    folder_id: Option<AssistantFolderId>,
}

/// Puts an assistant, the caller's or one that is shared with the caller, into a folder or out of it. Nobody else sees that.
#[utoipa::path(
    put, path = "/assistants/{id}/folder", tag = "assistants", params(("id" = AssistantId, Path)),
    request_body = AssistantPlace,
    responses((status = 204), (status = 404, body = ProblemBody, content_type = "application/problem+json"))
)]
pub(super) async fn put_assistant_into_folder(
    State(app): State<App>,
    Caller(principal): Caller,
    Id(id): Id<AssistantId>,
    Json(place): Json<AssistantPlace>,
) -> Result<StatusCode> {
    app.database.put_into_folder(&principal, id, place.folder_id).await?;
    Ok(StatusCode::NO_CONTENT)
}
