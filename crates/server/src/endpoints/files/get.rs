//! `GET /api/v1/files/{id}`

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY,
};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::Deserialize;
use stoa_model::FileId;
use stoa_storage::StoredFile;

use crate::app::App;
use crate::disposition;
use crate::extract::{Caller, Id, Query};
use crate::problem::{Problem, ProblemBody, Result};

/// Opened by itself, it may do nothing at all.
const POLICY: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'; sandbox");
/// The bytes of a file never change, and are one person's.
const CACHING: HeaderValue = HeaderValue::from_static("private, max-age=31536000, immutable");

#[derive(Clone, Copy, Deserialize, PartialEq, Eq, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FileSize {
    Full,
    /// At most 512 pixels along a side.
    Small,
}

#[derive(Clone, Copy, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct FileQuery {
    /// `full` when absent.
    #[param(inline)]
    size: Option<FileSize>,
}

/// The bytes of a file.
#[utoipa::path(
    get, path = "/files/{id}", tag = "files", params(("id" = FileId, Path), FileQuery),
    responses(
        (status = 200, body = String, content_type = "image/*"),
        (status = 304, description = "The caller has it already."),
        (status = 404, body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn get_file(
    State(app): State<App>,
    Caller(principal): Caller,
    Id(id): Id<FileId>,
    Query(query): Query<FileQuery>,
    headers: HeaderMap,
) -> Result<Response> {
    let stored = app.database.file(&principal, id).await?;
    picture(&app, stored, query, &headers, CACHING).await
}

/// The answer with the bytes of a file that the caller may see.
pub(crate) async fn picture(
    app: &App,
    stored: StoredFile,
    query: FileQuery,
    headers: &HeaderMap,
    caching: HeaderValue,
) -> Result<Response> {
    let small = stored.small_digest.filter(|_| query.size == Some(FileSize::Small));
    let digest = small.unwrap_or(stored.digest);
    blob(app, &digest, &stored.file.name, headers, caching).await
}

/// The answer with a picture that the caller may see.
pub(crate) async fn blob(
    app: &App,
    digest: &str,
    name: &str,
    headers: &HeaderMap,
    caching: HeaderValue,
) -> Result<Response> {
    let tag = HeaderValue::from_str(&format!("\"{digest}\"")).map_err(|error| Problem::internal(error.to_string()))?;
    let mut response = if has(headers, &tag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let bytes = app.files.read(digest).await?;
        let kind = media_type(&bytes)?;
        let mut response = Body::from(bytes).into_response();
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        response.headers_mut().insert(CONTENT_DISPOSITION, disposition(name, kind));
        response
    };
    let headers = response.headers_mut();
    headers.insert(ETAG, tag);
    headers.insert(CACHE_CONTROL, caching);
    headers.insert(CONTENT_SECURITY_POLICY, POLICY);
    // Whoever signs in after somebody else in the same browser does not get it from the browser.
    headers.insert(VARY, HeaderValue::from_static("cookie, authorization"));
    Ok(response)
}

/// By what it is: a small rendition may be of another kind than the picture.
fn media_type(bytes: &[u8]) -> Result<&'static str> {
    let kind = stoa_model::ImageKind::of(bytes).ok_or_else(|| Problem::internal("a stored file is no picture"))?;
    Ok(kind.media_type())
}

fn has(headers: &HeaderMap, tag: &HeaderValue) -> bool {
    let tags = headers.get_all(IF_NONE_MATCH).iter().filter_map(|tags| tags.to_str().ok());
    let mut tags = tags.flat_map(|tags| tags.split(',')).map(|tag| tag.trim().trim_start_matches("W/"));
    tags.any(|known| known == "*" || tag.as_bytes() == known.as_bytes())
}

/// The name, with the ending of what it is.
fn disposition(name: &str, kind: &str) -> HeaderValue {
    let ending = if kind == "image/jpeg" { "jpg" } else { "png" };
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem).trim();
    disposition::inline(if stem.is_empty() { "picture" } else { stem }, ending)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_leave_its_header() {
        assert_eq!(disposition("cat.webp", "image/png"), "inline; filename*=UTF-8''cat.png");
        assert_eq!(
            disposition("a\"; x=\r\n猫", "image/jpeg"),
            "inline; filename*=UTF-8''a%22%3B%20x%3D%0D%0A%E7%8C%AB.jpg"
        );
        assert_eq!(disposition("", "image/jpeg"), "inline; filename*=UTF-8''picture.jpg");
    }
}
