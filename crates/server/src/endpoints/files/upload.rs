//! `POST /api/v1/files`

use std::time::Duration;

use axum::Json;
use axum::extract::{Request, State};
use bytes::Bytes;
use http::StatusCode;
use serde::Deserialize;
use stoa_model::file::File;

use crate::app::App;
use crate::extract::{Caller, Query, read_body};
use crate::problem::{Problem, ProblemBody, Result};

/// Bytes of a picture as it comes; what is kept of it is smaller.
const FILE_BYTES: usize = 20 * 1024 * 1024;
/// How long its bytes may take to come.
const WITHIN: Duration = Duration::from_mins(3);

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct UploadQuery {
    /// What to call it. Only its end is kept, and it never becomes a path.
    name: Option<String>,
}

/// Takes a picture (PNG, JPEG, WebP or GIF, by its content and not by what it is called), and keeps it as one made anew
/// from its pixels: turned as its camera says, at most 2,048 pixels along a side, without anything else that was in the
/// file. One that no message shows goes after a day.
#[utoipa::path(
    post, path = "/files", tag = "files", params(UploadQuery),
    request_body(content = String, content_type = "application/octet-stream", description = "The bytes, at most 20 MiB."),
    responses(
        (status = 201, body = File),
        (status = 409, body = ProblemBody, content_type = "application/problem+json"),
        (status = 413, body = ProblemBody, content_type = "application/problem+json"),
        (status = 415, body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, body = ProblemBody, content_type = "application/problem+json"),
        (status = 429, body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn upload_file(
    State(app): State<App>,
    Caller(principal): Caller,
    Query(query): Query<UploadQuery>,
    request: Request,
) -> Result<(StatusCode, Json<File>)> {
    let admitted = app.files.admit(&app, &principal).await?;
    let bytes = received(request).await?;
    let name = query.name.unwrap_or_default();
    let file = app.files.keep(&app, &principal, &name, bytes, admitted).await?;
    Ok((StatusCode::CREATED, Json(file)))
}

/// The bytes of a picture as they come, within their bounds.
pub(crate) async fn received(request: Request) -> Result<Bytes> {
    let late = |_| {
        Problem::new(StatusCode::REQUEST_TIMEOUT, "upload_timed_out", "The picture took too long to come.")
            .hint("Try again with a better connection, or send a smaller picture.")
    };
    tokio::time::timeout(WITHIN, read_body(request, FILE_BYTES)).await.map_err(late)?
}
