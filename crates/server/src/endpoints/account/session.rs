//! `POST` and `DELETE /api/v1/session`

use axum::extract::State;
use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use serde::Deserialize;
use stoa_identity::{IdentityError, SignIn};

use super::{Me, Welcome, take_cookie};
use crate::app::App;
use crate::extract::{Json, authenticate};
use crate::problem::{ProblemBody, Result};
use crate::visitor::Visitor;

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SignInRequest {
    email: String,
    password: String,
}

/// Signs in by e-mail address and password. The answer sets the session cookie.
#[utoipa::path(
    post, path = "/session", tag = "account", security(()), request_body = SignInRequest,
    responses(
        (status = 200, body = Me),
        (status = 401, body = ProblemBody, content_type = "application/problem+json", description = "wrong_credentials"),
        (status = 429, body = ProblemBody, content_type = "application/problem+json", description = "too_many_attempts; `Retry-After` says when"),
    )
)]
pub(super) async fn sign_in(
    State(app): State<App>,
    Visitor(device): Visitor,
    Json(given): Json<SignInRequest>,
) -> Result<Response> {
    let signed_in = app.door.sign_in(SignIn { email: given.email, password: given.password, device }).await?;
    Ok(Welcome { app, signed_in }.into_response())
}

/// Signs this browser out. Where nobody is signed in, nothing is left to do.
#[utoipa::path(
    delete, path = "/session", tag = "account",
    responses((status = 204), (status = 403, body = ProblemBody, content_type = "application/problem+json"))
)]
pub(super) async fn sign_out(State(app): State<App>, parts: Parts) -> Result<Response> {
    match authenticate(&parts, &app).await {
        Ok(principal) => app.door.sign_out(&principal).await?,
        Err(IdentityError::Unauthenticated) => {}
        Err(error) => return Err(error.into()),
    }
    let mut response = StatusCode::NO_CONTENT.into_response();
    take_cookie(response.headers_mut(), &app);
    Ok(response)
}
