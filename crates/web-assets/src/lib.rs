//! The web application's files: embedded in a release, read from disk in a debug build, a placeholder page when not built.
//!
//! [`lookup`] answers for a path, [`index`] is the page for every other address of the application. Both choose between
//! the encodings that the web build made (brotli, gzip) and answer `If-None-Match`. Files under `/assets/` either exist or
//! are 404: they never answer with the page, which a browser would try to run as a script.

mod entity_tag;
mod inline_scripts;
mod negotiation;
mod source;

use bytes::Bytes;
use http::StatusCode;
use http::header::{self, HeaderMap, HeaderValue};

use crate::negotiation::Encoding;
use crate::source::{File, SOURCE};

/// Everything under it belongs to the build; a missing file there is 404.
const BUILT_FOLDER: &str = "assets/";
/// Files under it carry a hash of their content in their name, so they never change.
const HASHED_FOLDER: &str = "assets/immutable/";
const PAGE: &str = "index.html";
const PLACEHOLDER_PAGE: &str = include_str!("placeholder.html");

/// An answer, ready to be sent.
#[derive(Debug, Clone)]
pub struct Asset {
    /// 200, 304, or 404 for a missing file of the build.
    pub status: StatusCode,
    /// Content type and length, encoding, entity tag and caching.
    pub headers: HeaderMap,
    /// Empty for 304.
    pub body: Bytes,
}

impl Asset {
    /// The answer to `HEAD`: the same headers, no body.
    #[must_use]
    pub fn without_body(mut self) -> Self {
        self.body = Bytes::new();
        self
    }

    /// As a response of any framework.
    pub fn into_response<B: From<Bytes>>(self) -> http::Response<B> {
        let mut response = http::Response::new(B::from(self.body));
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        response
    }
}

/// The file at `path` (as in the request's target, with its leading slash), answered for a request with `headers`.
/// `None`: there is no such file, and the path may be an address inside the application, see [`index`].
pub fn lookup(path: &str, headers: &HeaderMap) -> Option<Asset> {
    let name = path.strip_prefix('/')?;
    match SOURCE.file(name) {
        Some(file) => Some(answer(name, file, headers)),
        None if name.starts_with(BUILT_FOLDER) => Some(missing()),
        None => None,
    }
}

/// The application's page, for `GET` and `HEAD` of any address that is not a file and that accepts HTML.
pub fn index(headers: &HeaderMap) -> Asset {
    answer(PAGE, page(), headers)
}

/// Sources for the page's `script-src`: `'sha256-…'` of every inline script, computed from the page itself, so that the
/// policy allows exactly these (CSP level 3, §2.3.1).
pub fn bootstrap_script_hashes() -> Vec<String> {
    inline_scripts::hashes(&String::from_utf8_lossy(&page().identity))
}

fn page() -> File {
    SOURCE.file(PAGE).unwrap_or_else(|| File {
        tag: entity_tag::of(PLACEHOLDER_PAGE.as_bytes()),
        identity: Bytes::from_static(PLACEHOLDER_PAGE.as_bytes()),
        brotli: None,
        gzip: None,
    })
}

fn answer(name: &str, file: File, request: &HeaderMap) -> Asset {
    let varies = file.brotli.is_some() || file.gzip.is_some();
    let (encoding, body) = negotiation::choose(file.identity, file.brotli, file.gzip, request);
    let tag = match encoding {
        Encoding::Identity => format!("\"{}\"", file.tag),
        Encoding::Brotli => format!("\"{}-br\"", file.tag),
        Encoding::Gzip => format!("\"{}-gzip\"", file.tag),
    };
    let mut headers = HeaderMap::new();
    headers.insert(header::CACHE_CONTROL, caching(name));
    if varies {
        headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    }
    let known = negotiation::is_known(&tag, request);
    if let Ok(tag) = HeaderValue::try_from(tag) {
        headers.insert(header::ETAG, tag);
    }
    if known {
        return Asset { status: StatusCode::NOT_MODIFIED, headers, body: Bytes::new() };
    }
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type(name)));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
    match encoding {
        Encoding::Identity => {}
        Encoding::Brotli => _ = headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("br")),
        Encoding::Gzip => _ = headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip")),
    }
    Asset { status: StatusCode::OK, headers, body }
}

fn caching(name: &str) -> HeaderValue {
    HeaderValue::from_static(if name.starts_with(HASHED_FOLDER) {
        "public, max-age=31536000, immutable"
    } else {
        // Kept, but asked about each time: a new release is seen at once.
        "no-cache"
    })
}

fn missing() -> Asset {
    let body = Bytes::from_static(b"There is no such file.\n");
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
    // During an upgrade another replica may have the file a second later.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Asset { status: StatusCode::NOT_FOUND, headers, body }
}

/// Media types by file name ending (IANA registry; JavaScript by RFC 9239).
fn content_type(name: &str) -> &'static str {
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
    match ending {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "avif" => "image/avif",
        "ico" => "image/vnd.microsoft.icon",
        "woff2" => "font/woff2",
        "woff" => "font/woff",
        "ttf" => "font/ttf",
        "wasm" => "application/wasm",
        "txt" => "text/plain; charset=utf-8",
        "xml" => "application/xml",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests;
