//! Refuses writes that another site makes a browser send: an unsafe method needs an `Origin` that is ours.
//!
//! A caller with an API key carries nothing that a browser would add by itself, so it needs none.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::header::{AUTHORIZATION, COOKIE, HOST, ORIGIN};
use http::{HeaderMap, StatusCode};

use crate::problem::Problem;

pub(crate) async fn same_origin(request: Request, next: Next) -> Response {
    let headers = request.headers();
    let by_key = headers.contains_key(AUTHORIZATION) && !headers.contains_key(COOKIE);
    if request.method().is_safe() || by_key || is_ours(headers, request.uri().host()) {
        return next.run(request).await;
    }
    Problem::new(StatusCode::FORBIDDEN, "cross_site", "This request does not come from this site's own pages.")
        .hint("Programs send an API key in `Authorization: Bearer …`, or an `Origin` that equals the server's address.")
        .into_response()
}

/// Whether the page that sends this is ours. The scheme is left aside: TLS may end at a proxy before us.
fn is_ours(headers: &HeaderMap, target: Option<&str>) -> bool {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).or(target);
    match headers.get(ORIGIN) {
        Some(origin) => {
            let site = origin
                .to_str()
                .ok()
                .and_then(|origin| origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://")));
            matches!((site, host), (Some(site), Some(host)) if site.eq_ignore_ascii_case(host))
        }
        // Browsers send `Origin` with every unsafe method; some privacy tools strip it and leave this.
        None => headers.get("sec-fetch-site").is_some_and(|site| site == "same-origin"),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn ours(origin: Option<&'static str>, fetch_site: Option<&'static str>) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, HeaderValue::from_static("chat.example.com:3210"));
        if let Some(origin) = origin {
            headers.insert(ORIGIN, HeaderValue::from_static(origin));
        }
        if let Some(site) = fetch_site {
            headers.insert("sec-fetch-site", HeaderValue::from_static(site));
        }
        is_ours(&headers, None)
    }

    #[test]
    fn only_our_own_pages_may_write() {
        assert!(ours(Some("http://chat.example.com:3210"), None));
        assert!(ours(Some("https://CHAT.example.com:3210"), None));
        assert!(ours(None, Some("same-origin")));
        for origin in
            ["http://evil.example", "null", "http://chat.example.com", "http://chat.example.com:3210.evil.example"]
        {
            assert!(!ours(Some(origin), Some("same-origin")), "{origin}");
        }
        assert!(!ours(None, None));
        assert!(!ours(None, Some("same-site")));
    }
}
