//! `GET /api/v1/function-volumes/{name}/content`

use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue};

use super::files::VolumePath;
use super::named;
use crate::app::App;
use crate::disposition;
use crate::extract::{Caller, Query};
use crate::problem::{ProblemBody, Result};

/// Whatever a function has written there is kept as a file, and never shown as a page.
const POLICY: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'; sandbox");

/// The bytes of a file in a volume.
#[utoipa::path(
    get, path = "/function-volumes/{name}/content", tag = "functions", params(("name" = String, Path), VolumePath),
    responses(
        (status = 200, body = Vec<u8>, content_type = "application/octet-stream"),
        (status = 404, body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, body = ProblemBody, content_type = "application/problem+json", description = "not_a_file"),
        (status = 503, body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn get_volume_file(
    State(app): State<App>,
    caller: Caller,
    Path(name): Path<String>,
    Query(query): Query<VolumePath>,
) -> Result<Response> {
    let found = named(&app, &caller, &name).await?;
    let path = query.inner()?;
    let file = disposition::attachment_named(path.rsplit('/').next().unwrap_or(&path));
    let (bytes, pieces) = app.functions.read_volume(&found, path).await?;
    let headers = HeaderMap::from_iter([
        (CONTENT_TYPE, HeaderValue::from_static("application/octet-stream")),
        (CONTENT_DISPOSITION, file),
        (CONTENT_LENGTH, HeaderValue::from(bytes)),
        (CONTENT_SECURITY_POLICY, POLICY),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ]);
    Ok((headers, Body::from_stream(pieces)).into_response())
}
