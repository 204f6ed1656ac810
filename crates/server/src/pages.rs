//! The web application's files: hashed ones for ever, the page for every place that the browser shows.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use http::header::{ACCEPT, IF_NONE_MATCH};
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method};
use stoa_web_assets::Asset;

use crate::app::App;
use crate::page_policy::PagePolicy;
use crate::problem::Problem;

/// Whether a page is for those who look for it.
pub(crate) const ROBOTS: HeaderName = HeaderName::from_static("x-robots-tag");

pub(crate) async fn pages(State(app): State<App>, request: Request) -> Response {
    let (request, _) = request.into_parts();
    let path = request.uri.path();
    if path.starts_with("/api/") || path.starts_with("/fn/") {
        return Problem::not_found().into_response();
    }
    if path.starts_with("/v1/") {
        return crate::openai::no_such_address(&request.method, path).into_response();
    }
    if request.method != Method::GET && request.method != Method::HEAD {
        return crate::routes::method_not_allowed().await.into_response();
    }
    let asset = match stoa_web_assets::lookup(path, &request.headers) {
        Some(asset) => asset,
        // A file of the application that is not there must not be answered with a page.
        None if path.starts_with("/assets/") || !wants_page(&request) => return Problem::not_found().into_response(),
        None if path.starts_with("/share/") => return shared_page(&request),
        None => return page(&app, &request).await,
    };
    to_answer(&request, asset)
}

/// The page of a link: with the strictest policy, whoever asks, and not for those who look for it.
fn shared_page(request: &Parts) -> Response {
    let mut response = to_answer(request, stoa_web_assets::index(&request.headers));
    response.headers_mut().insert(ROBOTS, HeaderValue::from_static("noindex, nofollow"));
    response
}

/// The page, with the policy of whoever asks.
async fn page(app: &App, request: &Parts) -> Response {
    let Some(policy) = PagePolicy::of(app, &request.headers).await else {
        return to_answer(request, stoa_web_assets::index(&request.headers));
    };
    let mut headers = request.headers.clone();
    headers.remove(IF_NONE_MATCH);
    let mut response = to_answer(request, stoa_web_assets::index(&headers));
    policy.apply(&mut response);
    response
}

fn to_answer(request: &Parts, asset: Asset) -> Response {
    let asset = if request.method == Method::HEAD { asset.without_body() } else { asset };
    asset.into_response::<Body>()
}

fn wants_page(request: &Parts) -> bool {
    let accept = request.headers.get(ACCEPT).and_then(|accept| accept.to_str().ok());
    accept.is_none_or(|accept| accept.contains("text/html") || accept.contains("*/*"))
}
