//! The web application's files: hashed ones for ever, the page for every place that the browser shows.

use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderName, HeaderValue, Method, header::ACCEPT};

use crate::problem::Problem;

pub(crate) const ROBOTS: HeaderName = HeaderName::from_static("x-robots-tag");

pub(crate) async fn pages(request: Request) -> Response {
    let path = request.uri().path();
    if path.starts_with("/api/") {
        return Problem::not_found().into_response();
    }
    if path.starts_with("/v1/") {
        return crate::openai::no_such_address(request.method(), path).into_response();
    }
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return crate::routes::method_not_allowed().await.into_response();
    }
    let asset = match stoa_web_assets::lookup(path, request.headers()) {
        Some(asset) => asset,
        // A file of the application that is not there must not be answered with a page.
        None if path.starts_with("/assets/") || !wants_page(&request) => return Problem::not_found().into_response(),
        None => stoa_web_assets::index(request.headers()),
    };
    let shared = path.starts_with("/share/");
    let asset = if request.method() == Method::HEAD { asset.without_body() } else { asset };
    let mut response = asset.into_response::<Body>();
    if shared {
        // What somebody shows to those who have a link is not for those who look for it.
        response.headers_mut().insert(ROBOTS, HeaderValue::from_static("noindex, nofollow"));
    }
    response
}

fn wants_page(request: &Request) -> bool {
    let accept = request.headers().get(ACCEPT).and_then(|accept| accept.to_str().ok());
    accept.is_none_or(|accept| accept.contains("text/html") || accept.contains("*/*"))
}
