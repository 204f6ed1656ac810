//! Stands before every route: a `Host` that is ours, against pages whose name was pointed here, and an `Origin` that may
//! read answers, against pages at all.

use std::net::IpAddr;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_MAX_AGE,
    HOST, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode};

use super::Ollama;
use super::error::Refusal;

/// Applications that bundle a page of their own.
const SCHEMES_OF_APPLICATIONS: [&str; 5] = ["app", "file", "tauri", "vscode-webview", "vscode-file"];

/// Names that no public DNS has.
const OWN_DOMAINS: [&str; 3] = [".localhost", ".local", ".internal"];

pub(super) async fn guard(State(state): State<Ollama>, request: Request, next: Next) -> Response {
    if !is_our_host(request.headers(), request.uri().host(), &state.options.hosts) {
        return Refusal::new(
            StatusCode::FORBIDDEN,
            "this server is not known by the name that was asked for; see STOA_OLLAMA_HOSTS",
        )
        .into_response();
    }
    let Some(origin) = request.headers().get(ORIGIN).cloned() else { return next.run(request).await };
    if !may_read(&origin) {
        return Refusal::new(StatusCode::FORBIDDEN, "pages of this origin may not use this server").into_response();
    }
    let mut response = match *request.method() {
        Method::OPTIONS => StatusCode::NO_CONTENT.into_response(),
        _ => next.run(request).await,
    };
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, HEAD, POST, DELETE"));
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("authorization, content-type"));
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    headers.append(VARY, HeaderValue::from_static("Origin"));
    response
}

fn is_our_host(headers: &HeaderMap, target: Option<&str>, hosts: &[String]) -> bool {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).or(target).unwrap_or_default();
    let name = host_name(host).to_ascii_lowercase();
    name == "localhost"
        || name.parse::<IpAddr>().is_ok()
        || OWN_DOMAINS.iter().any(|domain| name.ends_with(domain) && name.len() > domain.len())
        || hosts.iter().any(|host| host.eq_ignore_ascii_case(&name))
}

/// Without the port, and without the brackets of an address.
fn host_name(host: &str) -> &str {
    match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    }
}

/// Whether a page of that origin may call and read: those of this machine, and applications.
fn may_read(origin: &HeaderValue) -> bool {
    let Some((scheme, rest)) = origin.to_str().ok().and_then(|origin| origin.split_once("://")) else { return false };
    match scheme {
        "http" | "https" => matches!(host_name(rest), "localhost" | "127.0.0.1" | "0.0.0.0" | "::1"),
        scheme => SCHEMES_OF_APPLICATIONS.contains(&scheme),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_are_ours_are_answered() {
        for (host, ours) in [
            ("127.0.0.1:11434", true),
            ("localhost:11434", true),
            ("LOCALHOST", true),
            ("[::1]:11434", true),
            ("192.168.1.7", true),
            ("models.internal:11434", true),
            ("gpu.example.com", true),
            ("evil.example", false),
            ("localhost.evil.example", false),
            ("127.0.0.1.evil.example", false),
            (".local", false),
            ("", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, HeaderValue::from_static(host));
            assert_eq!(is_our_host(&headers, None, &["GPU.example.com".to_owned()]), ours, "{host}");
        }
    }

    #[test]
    fn pages_of_the_web_are_kept_out() {
        for (origin, may) in [
            ("http://localhost:5173", true),
            ("https://127.0.0.1", true),
            ("http://[::1]:80", true),
            ("app://obsidian.md", true),
            ("vscode-webview://x", true),
            ("null", false),
            ("https://evil.example", false),
            ("http://localhost.evil.example", false),
            ("chrome-extension://x", false),
        ] {
            assert_eq!(may_read(&HeaderValue::from_static(origin)), may, "{origin}");
        }
    }
}
