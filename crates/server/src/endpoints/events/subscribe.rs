//! `POST /api/v1/events/{stream}/subscriptions`

use std::collections::HashMap;

use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;
use stoa_model::{GenerationId, StreamId};

use crate::app::App;
use crate::extract::{Caller, Id, Json};
use crate::problem::{Problem, ProblemBody, Result};

/// Generations in one change.
const AT_ONCE: usize = 100;

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Subscriptions {
    /// Generations to follow.
    #[serde(default)]
    subscribe: Vec<GenerationId>,
    /// The last sequence number seen of each, where any was.
    #[serde(default)]
    #[schema(value_type = HashMap<String, u64>)]
    after: HashMap<GenerationId, u64>,
    #[serde(default)]
    unsubscribe: Vec<GenerationId>,
}

/// Changes what a stream follows. One generation that is not the caller's, and nothing is changed.
#[utoipa::path(
    post, path = "/events/{stream}/subscriptions", tag = "events", params(("stream" = StreamId, Path)),
    request_body = Subscriptions,
    responses((status = 204), (status = 404, body = ProblemBody, content_type = "application/problem+json"))
)]
pub(super) async fn change_subscriptions(
    State(app): State<App>,
    Caller(principal): Caller,
    Id(stream): Id<StreamId>,
    Json(change): Json<Subscriptions>,
) -> Result<StatusCode> {
    if change.subscribe.len() + change.unsubscribe.len() > AT_ONCE {
        return Err(Problem::field("subscribe", format!("at most {AT_ONCE} generations at once")));
    }
    let after = |id: &GenerationId| change.after.get(id).copied().unwrap_or(0);
    let subscribe = change.subscribe.iter().map(|id| (*id, after(id))).collect();
    app.chat.subscribe(&principal, stream, subscribe, change.unsubscribe).await?;
    Ok(StatusCode::NO_CONTENT)
}
