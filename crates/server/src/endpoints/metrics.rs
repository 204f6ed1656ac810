//! `GET /metrics`: figures for Prometheus, to whoever sits at the machine or has the token for them.

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use http::header::{AUTHORIZATION, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, StatusCode};
use stoa_telemetry::metrics::TEXT_TYPE;
use subtle::ConstantTimeEq as _;

use crate::app::App;
use crate::problem::{Problem, Result};
use crate::visitor::Visitor;

pub(crate) fn routes() -> Router<App> {
    Router::new().route("/metrics", get(metrics))
}

async fn metrics(State(app): State<App>, visitor: Visitor, headers: HeaderMap) -> Result<Response> {
    let shown = bearer(&headers);
    let welcome = match (&app.options.metrics_token, shown) {
        (Some(token), Some(shown)) => bool::from(token.expose().as_bytes().ct_eq(shown.as_bytes())),
        // Whoever shows a token that does not count is no neighbour that shows none.
        (_, Some(_)) => false,
        (_, None) => visitor.0.at_the_machine,
    };
    if !welcome {
        return Ok(refusal(app.options.metrics_token.is_some()));
    }
    let text = app.options.figures.metrics().text().map_err(|error| {
        let detail = "The figures cannot be written.";
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail).cause(error.to_string())
    })?;
    Ok(([(CONTENT_TYPE, TEXT_TYPE)], text).into_response())
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

/// Where no token is set there is nothing for others to find.
fn refusal(has_token: bool) -> Response {
    if !has_token {
        return Problem::new(StatusCode::NOT_FOUND, "not_found", "There is nothing here.").into_response();
    }
    let detail = "Figures are for whoever shows the token of STOA_METRICS_TOKEN.";
    let mut response = Problem::new(StatusCode::UNAUTHORIZED, "unauthenticated", detail).into_response();
    response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    response
}
