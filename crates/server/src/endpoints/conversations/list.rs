//! `GET /api/v1/conversations`

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use stoa_model::conversation::Conversation;
use stoa_model::{AssistantId, ProjectId};
use stoa_storage::ConversationFilter;

use crate::app::App;
use crate::extract::{Caller, Query};
use crate::problem::{Problem, ProblemBody, Result};

const SEARCH_LENGTH: usize = 200;

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// 1 to 100; 50 when absent.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u64>,
    /// Words of the title, in any case.
    q: Option<String>,
    pinned: Option<bool>,
    /// Those with this assistant.
    assistant: Option<AssistantId>,
    /// Those in this project.
    project: Option<ProjectId>,
    /// Those with this tag.
    tag: Option<String>,
    /// Those in the archive, which are not listed otherwise.
    #[serde(default)]
    #[param(required = false)]
    archived: bool,
}

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct ConversationList {
    items: Vec<Conversation>,
    #[schema(required)]
    next_cursor: Option<String>,
}

/// Lists the caller's conversations, the latest used first.
#[utoipa::path(
    get, path = "/conversations", tag = "conversations", params(ListQuery),
    responses((status = 200, body = ConversationList), (status = 400, body = ProblemBody, content_type = "application/problem+json"))
)]
pub(super) async fn list_conversations(
    State(app): State<App>,
    Caller(principal): Caller,
    Query(query): Query<ListQuery>,
) -> Result<Json<ConversationList>> {
    let limit = query.limit.unwrap_or(50);
    if !(1..=100).contains(&limit) {
        return Err(Problem::bad_request("invalid_query", "`limit` must be between 1 and 100."));
    }
    if query.q.as_ref().is_some_and(|search| search.chars().count() > SEARCH_LENGTH) {
        return Err(Problem::bad_request("invalid_query", format!("`q` takes at most {SEARCH_LENGTH} characters.")));
    }
    let cursor = query.cursor.map(|cursor| cursor.parse()).transpose();
    let cursor = cursor.map_err(|_| Problem::bad_request("invalid_query", "`cursor` is not one of this list."))?;
    let ListQuery { q: search, pinned, assistant, project, tag, archived, .. } = query;
    let filter = ConversationFilter { search, pinned, assistant, project, tag, archived };
    let page = app.database.conversations(&principal, &filter, cursor, limit).await?;
    Ok(Json(ConversationList { items: page.items, next_cursor: page.next.map(|cursor| cursor.to_string()) }))
}
