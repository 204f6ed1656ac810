//! `GET /api/v1/shared/{token}/messages`

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use stoa_model::share::SharedMessage;

use crate::app::App;
use crate::extract::{Query, Visitor};
use crate::problem::{Problem, ProblemBody, Result};

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct SharedQuery {
    /// The place of the first message that is wanted; 0 when absent.
    from: Option<u32>,
    /// 1 to 100; 50 when absent.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
}

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct SharedMessageList {
    /// Oldest first.
    items: Vec<SharedMessage>,
    /// There are messages below the last of these.
    has_more: bool,
}

/// Messages that a link shows.
#[utoipa::path(
    get, path = "/shared/{token}/messages", tag = "sharing", params(("token" = String, Path), SharedQuery),
    responses(
        (status = 200, body = SharedMessageList),
        (status = 401, body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn list_shared_messages(
    State(app): State<App>,
    visitor: Visitor,
    Query(query): Query<SharedQuery>,
) -> Result<Json<SharedMessageList>> {
    let limit = query.limit.unwrap_or(50);
    if !(1..=100).contains(&limit) {
        return Err(Problem::field("limit", "must be between 1 and 100"));
    }
    let from = query.from.unwrap_or(0);
    let mut items = app.database.shared_messages(&visitor.visitor, from, u64::from(limit) + 1).await?;
    let has_more = items.len() > usize::try_from(limit).unwrap_or(usize::MAX);
    if has_more {
        items.pop();
    }
    Ok(Json(SharedMessageList { items, has_more }))
}
