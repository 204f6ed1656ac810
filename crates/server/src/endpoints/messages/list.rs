//! `GET /api/v1/conversations/{id}/messages`

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use stoa_model::conversation::Message;
use stoa_model::{ConversationId, MessageId};
use stoa_storage::PathQuery;

use crate::app::App;
use crate::extract::{Caller, Id, Query};
use crate::problem::{Problem, ProblemBody, Result};

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct MessagesQuery {
    /// Any message: the path to the newest end below it. The conversation's own leaf when absent.
    leaf: Option<MessageId>,
    /// Only messages above this one.
    before: Option<MessageId>,
    /// Only messages below this one, on the way to the leaf.
    after: Option<MessageId>,
    /// The messages above this one, itself, and those below it. Where it is not on the path to the leaf, the newest end
    /// below it is taken for the leaf.
    around: Option<MessageId>,
    /// 1 to 200; 50 when absent.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
}

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct MessageList {
    /// Oldest first.
    items: Vec<Message>,
    #[schema(required)]
    leaf_id: Option<MessageId>,
    /// There are messages above the first of these.
    has_more: bool,
    /// There are messages between the last of these and the leaf.
    has_newer: bool,
}

/// The end of the path to a leaf, or what lies above, below or around a message on it.
#[utoipa::path(
    get, path = "/conversations/{id}/messages", tag = "messages",
    params(("id" = ConversationId, Path), MessagesQuery),
    responses((status = 200, body = MessageList), (status = 400, body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, body = ProblemBody, content_type = "application/problem+json"))
)]
pub(super) async fn list_messages(
    State(app): State<App>,
    Caller(principal): Caller,
    Id(id): Id<ConversationId>,
    Query(query): Query<MessagesQuery>,
) -> Result<Json<MessageList>> {
    let limit = query.limit.unwrap_or(50);
    if !(1..=200).contains(&limit) {
        return Err(Problem::bad_request("invalid_query", "`limit` must be between 1 and 200."));
    }
    if [query.before, query.after, query.around].iter().flatten().count() > 1 {
        let detail = "Only one of `before`, `after` and `around` can be given.";
        return Err(Problem::bad_request("invalid_query", detail));
    }
    let MessagesQuery { leaf, before, after, around, .. } = query;
    let page = app.database.messages(&principal, id, PathQuery { leaf, before, after, around, limit }).await?;
    Ok(Json(MessageList { items: page.items, leaf_id: page.leaf, has_more: page.has_more, has_newer: page.has_newer }))
}
