//! `GET /api/v1/search`

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use stoa_model::conversation::MessageRole;
use stoa_model::search::SearchHit;
use stoa_model::{ConversationId, Timestamp};
use stoa_storage::{SearchFilter, SearchQuery as Words};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::extract::{Caller, Query};
use crate::problem::{Problem, ProblemBody, Result};

const LIMIT: usize = 20;
const MAX_LIMIT: usize = 50;

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(search))
}

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct SearchQuery {
    /// What to look for, at most 200 characters and 16 words: all words, in any order; `"words in quotes"` as they stand;
    /// the last word also as the beginning of a longer one, unless a space follows it.
    q: String,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// 1 to 50; 20 when absent.
    #[param(minimum = 1, maximum = 50)]
    limit: Option<usize>,
    /// Only messages of this role.
    role: Option<MessageRole>,
    /// Only messages of this conversation.
    conversation: Option<ConversationId>,
    /// Only what was written then or later.
    since: Option<Timestamp>,
    /// Only what was written earlier.
    until: Option<Timestamp>,
}

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct SearchResults {
    /// Titles first; then the better and newer first.
    items: Vec<SearchHit>,
    /// Where to go on. A page may have fewer than asked for, or none, and still have a next.
    #[schema(required)]
    next_cursor: Option<String>,
    /// False for a while after an update, until everything that was there before can be found.
    complete: bool,
}

/// Finds the caller's conversations by their titles and messages, whatever the case, accents and width of the letters.
#[utoipa::path(
    get, path = "/search", tag = "search", params(SearchQuery),
    responses((status = 200, body = SearchResults),
        (status = 400, body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, body = ProblemBody, content_type = "application/problem+json"))
)]
async fn search(
    State(app): State<App>,
    Caller(principal): Caller,
    Query(query): Query<SearchQuery>,
) -> Result<Json<SearchResults>> {
    let invalid = |detail: String| Problem::bad_request("invalid_query", detail);
    let limit = query.limit.unwrap_or(LIMIT);
    if !(1..=MAX_LIMIT).contains(&limit) {
        return Err(invalid(format!("`limit` must be between 1 and {MAX_LIMIT}.")));
    }
    let words = Words::parse(&query.q).map_err(|error| invalid(format!("`q`: {error}.")))?;
    let cursor = query.cursor.map(|cursor| cursor.parse()).transpose();
    let cursor = cursor.map_err(|_| invalid("`cursor` is not one of this list.".to_owned()))?;
    let SearchQuery { role, conversation, since, until, .. } = query;
    let filter = SearchFilter { role, conversation, since, until };
    let page = app.database.search(&principal, &words, &filter, cursor, limit).await?;
    Ok(Json(SearchResults {
        items: page.items,
        next_cursor: page.next.map(|cursor| cursor.to_string()),
        complete: page.complete,
    }))
}
