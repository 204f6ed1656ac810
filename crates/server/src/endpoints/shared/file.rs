//! `GET /api/v1/shared/{token}/files/{id}`

use axum::extract::{Path, State};
use axum::response::Response;
use http::{HeaderMap, HeaderValue};
use stoa_model::FileId;

use crate::app::App;
use crate::endpoints::files::{FileQuery, picture};
use crate::extract::{Query, Visitor};
use crate::problem::{Problem, ProblemBody, Result};

/// Kept by no cache: when the link is ended, so is this.
const CACHING: HeaderValue = HeaderValue::from_static("no-store");

/// The bytes of a picture that a link shows. By it alone they are reached: no other file is, and this one by no other way.
#[utoipa::path(
    get, path = "/shared/{token}/files/{id}", tag = "sharing",
    params(("token" = String, Path), ("id" = FileId, Path), FileQuery),
    responses(
        (status = 200, body = String, content_type = "image/*"),
        (status = 401, body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn get_shared_file(
    State(app): State<App>,
    visitor: Visitor,
    Path((_, id)): Path<(String, String)>,
    Query(query): Query<FileQuery>,
    headers: HeaderMap,
) -> Result<Response> {
    let id: FileId = id.parse().map_err(|_| Problem::not_found())?;
    let stored = app.database.shared_file(&visitor.visitor, id).await?;
    picture(&app, stored, query, &headers, CACHING).await
}
