//! What handlers take from a request: who asks, the id in the path, the body, the query. Every refusal is a [`Problem`].

use std::collections::HashMap;
use std::str::FromStr;

use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use http::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE};
use http::request::Parts;
use http::{HeaderMap, StatusCode};
use serde::de::DeserializeOwned;
use stoa_identity::{Credential, IdentityError, cookie};
use stoa_listener::BodyError;
use stoa_model::{Principal, Scope};

use crate::app::App;
use crate::problem::Problem;

/// Bytes of a JSON body, where a handler names no other cap.
pub(crate) const BODY_BYTES: usize = 256 * 1024;

/// Whoever asks, signed in or by a key that may use the account.
pub(crate) struct Caller(pub(crate) Principal);

impl FromRequestParts<App> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let principal = authenticate(parts, app).await?;
        if principal.allows(Scope::Account) {
            return Ok(Self(principal));
        }
        Err(Problem::forbidden().hint("This API key may only run models. Make one with the scope `account`."))
    }
}

/// An owner or admin. Others are told so before their body is read.
pub(crate) struct Administrator(pub(crate) Principal);

impl FromRequestParts<App> for Administrator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let Caller(principal) = Caller::from_request_parts(parts, app).await?;
        if principal.may_administer() { Ok(Self(principal)) } else { Err(Problem::forbidden()) }
    }
}

/// Somebody signed in: passwords, sessions, keys and accounts are out of an API key's reach.
pub(crate) struct InPerson(pub(crate) Principal);

impl FromRequestParts<App> for InPerson {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let principal = authenticate(parts, app).await?;
        if principal.session_id().is_some() {
            return Ok(Self(principal));
        }
        Err(Problem::forbidden().hint("Sign in to do this; an API key cannot."))
    }
}

/// Whoever asks, by whatever door and scope. For `/v1/*`.
pub(crate) async fn authenticate(parts: &Parts, app: &App) -> Result<Principal, IdentityError> {
    let header = |name| parts.headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(authorization) = header(AUTHORIZATION) {
        let key = authorization
            .split_once(' ')
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .ok_or(IdentityError::Unauthenticated)?
            .1;
        return app.door.authenticate(Credential::ApiKey(key.trim())).await;
    }
    let token = session_cookie(&parts.headers).ok_or(IdentityError::Unauthenticated)?;
    app.door.authenticate(Credential::Cookie(token)).await
}

/// The text of the session cookie, if one was sent.
pub(crate) fn session_cookie(headers: &HeaderMap) -> Option<&str> {
    headers.get_all(COOKIE).iter().find_map(|value| cookie::find(value.to_str().ok()?))
}

/// Whoever came by the link in the path, and who they are, if they are signed in.
pub(crate) struct Visitor {
    pub(crate) visitor: Principal,
    pub(crate) person: Option<Principal>,
}

impl FromRequestParts<App> for Visitor {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let person = match authenticate(parts, app).await {
            Ok(principal) if principal.allows(Scope::Account) => Some(principal),
            Ok(_) => return Err(Problem::forbidden()),
            Err(IdentityError::Unauthenticated) => None,
            Err(error) => return Err(error.into()),
        };
        let names = Path::<HashMap<String, String>>::from_request_parts(parts, app).await;
        let names = names.map_err(|_| Problem::not_found())?;
        let token = names.get("token").ok_or_else(Problem::not_found)?;
        let visitor = app.door.authenticate(Credential::Link { token, visitor: person.as_ref() }).await?;
        Ok(Self { visitor, person })
    }
}

/// The id in the path. What is no id is not found.
pub(crate) struct Id<T>(pub(crate) T);

impl<T: FromStr + Send> FromRequestParts<App> for Id<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let Path(text) = Path::<String>::from_request_parts(parts, app).await.map_err(|_| Problem::not_found())?;
        text.parse().map(Self).map_err(|_| Problem::not_found())
    }
}

/// The query. Unknown names are refused where the type says so.
pub(crate) struct Query<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequestParts<App> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        match axum::extract::Query::<T>::from_request_parts(parts, app).await {
            Ok(axum::extract::Query(query)) => Ok(Self(query)),
            Err(error) => Err(Problem::bad_request("invalid_query", crate::problem::chain(&error))),
        }
    }
}

/// A JSON body of at most `LIMIT` bytes.
pub(crate) struct Json<T, const LIMIT: usize = BODY_BYTES>(pub(crate) T);

impl<T: DeserializeOwned, const LIMIT: usize> FromRequest<App> for Json<T, LIMIT> {
    type Rejection = Problem;

    async fn from_request(request: Request, _app: &App) -> Result<Self, Problem> {
        let kind = request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        if !kind.eq_ignore_ascii_case("application/json") {
            let problem = Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "not_json",
                "The body must be sent as `Content-Type: application/json`.",
            );
            return Err(problem);
        }
        let body = read_body(request, LIMIT).await?;
        parse_json(&body).map(Self)
    }
}

/// Tells `null` from absent.
#[expect(clippy::option_option, reason = "absent, null and an id are three things")]
pub(crate) fn given<'de, D: serde::Deserializer<'de>, T: serde::Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<Option<T>>, D::Error> {
    serde::Deserialize::deserialize(deserializer).map(Some)
}

/// Reads a body of at most `limit` bytes.
pub(crate) async fn read_body(request: Request, limit: usize) -> Result<bytes::Bytes, Problem> {
    let too_large = || {
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", format!("The body is larger than {limit} bytes."))
            .hint("Send less at once.")
    };
    let announced = request.headers().get(http::header::CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    if announced.and_then(|length| length.parse::<usize>().ok()).is_some_and(|length| length > limit) {
        return Err(too_large());
    }
    let limited = http_body_util::Limited::new(request.into_body(), limit);
    match http_body_util::BodyExt::collect(limited).await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => Err(too_large()),
        Err(error) => match BodyError::find(error.as_ref()) {
            Some(error) => Err(Problem::new(error.status(), "body_unreadable", error.to_string())),
            None => Err(Problem::bad_request("body_unreadable", "The body could not be read.")),
        },
    }
}

/// Reads JSON, and says where it is wrong.
pub(crate) fn parse_json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    // Serde would read a list as the fields in their order.
    if body.trim_ascii_start().starts_with(b"[") {
        return Err(Problem::bad_request("invalid_request", "The body must be a JSON object."));
    }
    serde_json::from_slice(body).map_err(|error| match error.classify() {
        serde_json::error::Category::Data => Problem::bad_request("invalid_request", format!("{error}.")),
        _ => Problem::bad_request("malformed_json", format!("The body is not JSON: {error}.")),
    })
}
