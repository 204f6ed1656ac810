//! `POST /api/v1/conversations/bulk`

use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;
use stoa_model::conversation::checked_tags;
use stoa_model::{ConversationId, ProjectId};
use stoa_storage::{BulkChange as Change, MAX_AT_ONCE};

use crate::app::App;
use crate::extract::{Caller, Json, given};
use crate::problem::{Problem, ProblemBody, Result};

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BulkChange {
    /// 1 to 200 conversations.
    ids: Vec<ConversationId>,
    /// Out of the list, or back in it.
    archived: Option<bool>,
    /// Into this project; `null` for out of those they are in.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<ProjectId>)]
    #[expect(clippy::option_option, reason = "absent, null and an id are three things")]
    project_id: Option<Option<ProjectId>>,
    /// Beside those they have.
    #[serde(default)]
    add_tags: Vec<String>,
    #[serde(default)]
    remove_tags: Vec<String>,
    /// Deleted, or brought back within 30 days.
    deleted: Option<bool>,
}

/// Does the same with many conversations: with all of them or, when one is not there, with none.
#[utoipa::path(
    post, path = "/conversations/bulk", tag = "conversations", request_body = BulkChange,
    responses(
        (status = 204),
        (status = 404, body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn change_conversations(
    State(app): State<App>,
    Caller(principal): Caller,
    Json(change): Json<BulkChange>,
) -> Result<StatusCode> {
    if !(1..=MAX_AT_ONCE).contains(&change.ids.len()) {
        return Err(Problem::field("ids", format!("between 1 and {MAX_AT_ONCE} conversations")));
    }
    let what = Change {
        archived: change.archived,
        project: change.project_id,
        add_tags: checked_tags(&change.add_tags)?,
        remove_tags: checked_tags(&change.remove_tags)?,
        deleted: change.deleted,
    };
    app.database.change_conversations(&principal, &change.ids, &what, app.now()).await?;
    Ok(StatusCode::NO_CONTENT)
}
