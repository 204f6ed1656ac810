//! `GET /api/v1/generations/{id}/events`

use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;
use serde::Deserialize;
use stoa_model::GenerationId;

use crate::app::App;
use crate::events_body;
use crate::extract::{Caller, Id, Query};
use crate::problem::{ProblemBody, Result};

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct FollowQuery {
    /// The last sequence number seen; `Last-Event-ID` says the same.
    after: Option<u64>,
}

/// Follows one answer from after a sequence number to its end: `start`, `delta`, `rewind`, `snapshot`, `usage`,
/// `finish`, `error`.
#[utoipa::path(
    get, path = "/generations/{id}/events", tag = "generations",
    params(("id" = GenerationId, Path), FollowQuery),
    responses(
        (status = 200, content_type = "text/event-stream", body = String),
        (status = 404, body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn follow_generation(
    State(app): State<App>,
    Caller(principal): Caller,
    Id(id): Id<GenerationId>,
    Query(query): Query<FollowQuery>,
    headers: HeaderMap,
) -> Result<Response> {
    let seen = || headers.get("last-event-id")?.to_str().ok()?.parse().ok();
    let after = query.after.or_else(seen).unwrap_or(0);
    let revoked = events_body::revoked(&app, &principal);
    Ok(events_body::response(&app, app.chat.open_generation(&principal, id, after, revoked).await?))
}
