//! One's own account: set-up, sign-in, profile, sessions and API keys.

mod api_keys;
mod password;
mod profile;
mod session;
mod sessions;
mod setup;

use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, SET_COOKIE};
use http::{HeaderMap, HeaderValue};
use serde::Serialize;
use stoa_identity::{Door, SessionToken, SignedIn, cookie};
use stoa_model::person::{Role, User};
use stoa_model::{Principal, Timestamp, UserId};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::problem::{Problem, Result};

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(setup::get_setup, setup::set_up))
        .routes(routes!(session::sign_in, session::sign_out))
        .routes(routes!(profile::get_me, profile::update_me))
        .routes(routes!(password::change_password))
        .routes(routes!(sessions::list_sessions))
        .routes(routes!(sessions::end_session))
        .routes(routes!(api_keys::list_api_keys, api_keys::create_api_key))
        .routes(routes!(api_keys::delete_api_key))
}

/// The caller.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct Me {
    id: UserId,
    name: String,
    email: String,
    role: Role,
    /// The first steps were shown, or passed over.
    welcomed: bool,
    created_at: Timestamp,
}

impl From<User> for Me {
    fn from(user: User) -> Self {
        Self {
            id: user.id,
            name: user.name,
            email: user.email,
            role: user.role,
            welcomed: user.welcomed,
            created_at: user.created_at,
        }
    }
}

/// What the caller is called.
pub(crate) async fn name_of(app: &App, principal: &Principal) -> Result<String> {
    let id = principal.user_id().ok_or_else(Problem::not_found)?;
    Ok(app.database.user(principal, id).await?.name)
}

/// The answer to whoever has just signed in: themselves, and the cookie.
struct Welcome {
    app: App,
    signed_in: SignedIn,
}

impl IntoResponse for Welcome {
    fn into_response(self) -> Response {
        let mut response = axum::Json(Me::from(self.signed_in.user)).into_response();
        give_cookie(response.headers_mut(), &self.app, &self.signed_in.token);
        response
    }
}

/// Hands the session to the browser for as long as it lasts from now on. No cache may keep such an answer.
fn give_cookie(headers: &mut HeaderMap, app: &App, token: &SessionToken) {
    set_cookie(headers, &cookie::set(token, Door::session_lasts(), app.options.secure_cookies));
}

fn take_cookie(headers: &mut HeaderMap, app: &App) {
    set_cookie(headers, &cookie::clear(app.options.secure_cookies));
}

fn set_cookie(headers: &mut HeaderMap, cookie: &str) {
    // A cookie of ours is always a header value: a name, base64url and attributes.
    if let Ok(mut value) = HeaderValue::from_str(cookie) {
        value.set_sensitive(true);
        headers.append(SET_COOKIE, value);
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
}
