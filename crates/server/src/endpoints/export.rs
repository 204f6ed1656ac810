//! `GET /api/v1/export`

use axum::extract::State;
use axum::response::Response;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::exporting::{Archive, download};
use crate::extract::Caller;
use crate::problem::{ProblemBody, Result};
use crate::{disposition, endpoints};

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(export_everything))
}

/// Everything of the caller's: projects, assistants, and conversations with all their branches, tags and pictures, as Stoa's
/// archive: a line that says what it is, one entry a line, and a last line without which it was cut off.
#[utoipa::path(
    get, path = "/export", tag = "account",
    responses(
        (status = 200, body = String, content_type = "application/x-ndjson"),
        (status = 401, body = ProblemBody, content_type = "application/problem+json"),
    )
)]
async fn export_everything(State(app): State<App>, Caller(principal): Caller) -> Result<Response> {
    let name = endpoints::account::name_of(&app, &principal).await?;
    let file = disposition::attachment(&format!("stoa-{}", app.now().date()), "jsonl");
    let archive = Archive::of_all(app, principal, name).await?;
    Ok(download(archive.into_body(), "application/x-ndjson", file))
}
