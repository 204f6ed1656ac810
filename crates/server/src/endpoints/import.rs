//! `POST /api/v1/import`

use axum::Json;
use axum::extract::{Request, State};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::extract::Caller;
use crate::importing::{ImportReport, import};
use crate::problem::{ProblemBody, Result};

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(import_file))
}

/// Imports an archive of Stoa, or what LobeChat, Open WebUI or ChatGPT export, whichever it is. It is read while it comes, at
/// most 4 GiB of it; what cannot be taken is left out and told. Importing the same file again makes nothing twice, and brings
/// what was missing after one that broke off.
#[utoipa::path(
    post, path = "/import", tag = "account",
    request_body(content = String, content_type = "application/octet-stream", description = "The file, at most 4 GiB."),
    responses(
        (status = 200, body = ImportReport),
        (status = 400, body = ProblemBody, content_type = "application/problem+json"),
        (status = 413, body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`import_unknown`: the file is of no kind that can be read. `import_too_new`.",
            body = ProblemBody, content_type = "application/problem+json"),
        (status = 429, description = "`too_many_imports`: one at a time of each person.",
            body = ProblemBody, content_type = "application/problem+json"),
    )
)]
async fn import_file(
    State(app): State<App>,
    Caller(principal): Caller,
    request: Request,
) -> Result<Json<ImportReport>> {
    import(&app, &principal, request.into_body()).await.map(Json)
}
