//! `GET`, `PUT` and `DELETE /api/v1/assistants/{id}/picture`

use axum::Json;
use axum::extract::{Request, State};
use axum::response::Response;
use http::{HeaderMap, HeaderValue};
use serde::Deserialize;
use stoa_model::AssistantId;
use stoa_model::assistant::Assistant;

use crate::app::App;
use crate::endpoints::files::{blob, received};
use crate::extract::{Caller, Id, Query};
use crate::problem::{ProblemBody, Result};

/// An address has the picture's version in it; and who may see it may change.
const CACHING: HeaderValue = HeaderValue::from_static("private, max-age=3600");

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct PictureQuery {
    /// The version that the caller knows of, so that a new picture has a new address.
    #[serde(rename = "v")]
    _version: Option<String>,
}

/// The face of an assistant that the caller may use, as a square picture.
#[utoipa::path(
    get, path = "/assistants/{id}/picture", tag = "assistants", params(("id" = AssistantId, Path), PictureQuery),
    responses(
        (status = 200, body = String, content_type = "image/*"),
        (status = 304, description = "The caller has it already."),
        (status = 404, body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn get_assistant_picture(
    State(app): State<App>,
    Caller(principal): Caller,
    Id(id): Id<AssistantId>,
    Query(_): Query<PictureQuery>,
    headers: HeaderMap,
) -> Result<Response> {
    let digest = app.database.assistant_picture(&principal, id).await?;
    blob(&app, &digest, "assistant", &headers, CACHING).await
}

/// Gives an assistant of the caller's a picture for its face (PNG, JPEG, WebP or GIF): made anew from its pixels as a small
/// square, cut from the middle.
#[utoipa::path(
    put, path = "/assistants/{id}/picture", tag = "assistants", params(("id" = AssistantId, Path)),
    request_body(content = String, content_type = "application/octet-stream", description = "The bytes, at most 20 MiB."),
    responses(
        (status = 200, body = Assistant),
        (status = 404, body = ProblemBody, content_type = "application/problem+json"),
        (status = 413, body = ProblemBody, content_type = "application/problem+json"),
        (status = 415, body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, body = ProblemBody, content_type = "application/problem+json"),
        (status = 429, body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn put_assistant_picture(
    State(app): State<App>,
    Caller(principal): Caller,
    Id(id): Id<AssistantId>,
    request: Request,
) -> Result<Json<Assistant>> {
    // Nobody sends anything for what is not theirs.
    app.database.assistant(&principal, id).await?;
    let admitted = app.files.admit(&app, &principal).await?;
    let bytes = received(request).await?;
    let digest = app.files.keep_face(&app, bytes).await?;
    drop(admitted);
    Ok(Json(app.database.picture_assistant(&principal, id, Some(digest), app.now()).await?))
}

/// Takes the picture away: the face is the emoji again, or the first letter of the name.
#[utoipa::path(
    delete, path = "/assistants/{id}/picture", tag = "assistants", params(("id" = AssistantId, Path)),
    responses((status = 200, body = Assistant), (status = 404, body = ProblemBody, content_type = "application/problem+json"))
)]
pub(super) async fn delete_assistant_picture(
    State(app): State<App>,
    Caller(principal): Caller,
    Id(id): Id<AssistantId>,
) -> Result<Json<Assistant>> {
    Ok(Json(app.database.picture_assistant(&principal, id, None, app.now()).await?))
}
