//! `GET /api/v1/sessions` and `DELETE /api/v1/sessions/{id}`

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::Serialize;
use stoa_model::{SessionId, Timestamp};

use crate::app::App;
use crate::extract::{Caller, Id, InPerson};
use crate::problem::{ProblemBody, Result};

/// A signed-in browser.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct Session {
    id: SessionId,
    created_at: Timestamp,
    last_seen_at: Timestamp,
    expires_at: Timestamp,
    user_agent: String,
    address: String,
    /// The one that asks.
    current: bool,
}

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct SessionList {
    items: Vec<Session>,
}

/// Lists where the caller is signed in, the latest used first.
#[utoipa::path(
    get, path = "/sessions", tag = "account",
    responses((status = 200, body = SessionList), (status = 401, body = ProblemBody, content_type = "application/problem+json"))
)]
pub(super) async fn list_sessions(State(app): State<App>, Caller(principal): Caller) -> Result<Json<SessionList>> {
    let sessions = app.database.sessions(&principal, app.now()).await?;
    let items = sessions
        .into_iter()
        .map(|session| Session {
            current: principal.session_id() == Some(session.id),
            id: session.id,
            created_at: session.created_at,
            last_seen_at: session.last_seen_at,
            expires_at: session.expires_at,
            user_agent: session.user_agent,
            address: session.address,
        })
        .collect();
    Ok(Json(SessionList { items }))
}

/// Signs a browser out, from wherever one is.
#[utoipa::path(
    delete, path = "/sessions/{id}", tag = "account", params(("id" = SessionId, Path)),
    responses((status = 204), (status = 404, body = ProblemBody, content_type = "application/problem+json"))
)]
pub(super) async fn end_session(
    State(app): State<App>,
    InPerson(principal): InPerson,
    Id(id): Id<SessionId>,
) -> Result<StatusCode> {
    app.database.delete_session(&principal, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
