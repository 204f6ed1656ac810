//! `GET` and `PATCH /api/v1/me`

use axum::Json as Answer;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::HeaderMap;
use serde::Deserialize;
use stoa_identity::SessionToken;

use super::{Me, give_cookie};
use crate::app::App;
use crate::extract::{Caller, Json, session_cookie};
use crate::problem::{Problem, ProblemBody, Result};

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UpdateMe {
    /// 1 to 100 characters.
    name: Option<String>,
    /// `true` once the first steps were shown or passed over: they are never shown again.
    #[serde(default)]
    welcomed: bool,
}

/// Says who the caller is. In a browser it also lets the cookie last from now on, as the session does.
#[utoipa::path(
    get, path = "/me", tag = "account",
    responses(
        (status = 200, body = Me),
        (status = 401, body = ProblemBody, content_type = "application/problem+json", description = "unauthenticated"),
    )
)]
pub(super) async fn get_me(State(app): State<App>, Caller(principal): Caller, headers: HeaderMap) -> Result<Response> {
    let id = principal.user_id().ok_or_else(Problem::not_found)?;
    let me = Me::from(app.database.user(&principal, id).await?);
    let mut response = Answer(me).into_response();
    let token = principal.session_id().and_then(|_| SessionToken::parse(session_cookie(&headers)?));
    if let Some(token) = token {
        give_cookie(response.headers_mut(), &app, &token);
    }
    Ok(response)
}

/// Changes one's own name, or notes that the first steps are done.
#[utoipa::path(
    patch, path = "/me", tag = "account", request_body = UpdateMe,
    responses((status = 200, body = Me), (status = 422, body = ProblemBody, content_type = "application/problem+json"))
)]
pub(super) async fn update_me(
    State(app): State<App>,
    Caller(principal): Caller,
    Json(change): Json<UpdateMe>,
) -> Result<Answer<Me>> {
    if change.welcomed {
        app.database.mark_welcomed(&principal, app.now()).await?;
    }
    Ok(Answer(app.door.rename(&principal, change.name.as_deref()).await?.into()))
}
