//! `GET /api/v1/openapi.json`: the document of this API.

use std::sync::LazyLock;

use axum::response::{IntoResponse as _, Response};
use http::header::CONTENT_TYPE;
use utoipa_axum::router::OpenApiRouter;

use crate::app::App;
use crate::problem::Problem;

static DOCUMENT: LazyLock<Result<String, String>> =
    LazyLock::new(|| crate::documentation::openapi_json().map_err(|error| error.to_string()));

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().route("/openapi.json", axum::routing::get(document))
}

async fn document() -> Response {
    match &*DOCUMENT {
        Ok(document) => ([(CONTENT_TYPE, "application/json")], document.as_str()).into_response(),
        Err(error) => Problem::internal(error.as_str()).into_response(),
    }
}
