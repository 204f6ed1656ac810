//! `GET` and `PUT /api/v1/sharing`

use axum::Json as Answer;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::extract::{Administrator, Caller, Json};
use crate::problem::{ProblemBody, Result};

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(get_sharing, put_sharing))
}

/// For whom links may be made here.
#[derive(Deserialize, Serialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sharing {
    /// Links may open for whoever has them, signed in or not. Off, those that are there open nothing.
    public_links: bool,
}

/// Says whether links for everyone are allowed.
#[utoipa::path(
    get, path = "/sharing", tag = "sharing",
    responses((status = 200, body = Sharing), (status = 401, body = ProblemBody, content_type = "application/problem+json"))
)]
async fn get_sharing(State(app): State<App>, _caller: Caller) -> Result<Answer<Sharing>> {
    Ok(Answer(Sharing { public_links: app.database.public_links().await? }))
}

/// Allows links for everyone, or switches them off at once. For administrators.
#[utoipa::path(
    put, path = "/sharing", tag = "sharing", request_body = Sharing,
    responses((status = 200, body = Sharing), (status = 403, body = ProblemBody, content_type = "application/problem+json"))
)]
async fn put_sharing(
    State(app): State<App>,
    Administrator(principal): Administrator,
    Json(sharing): Json<Sharing>,
) -> Result<Answer<Sharing>> {
    app.database.allow_public_links(&principal, sharing.public_links).await?;
    Ok(Answer(sharing))
}
