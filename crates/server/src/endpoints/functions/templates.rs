//! `GET /api/v1/function-templates`

use axum::Json;
use stoa_functions_service::{TEMPLATES, Template};

use crate::extract::Caller;

/// What functions can begin as.
#[utoipa::path(
    get, path = "/function-templates", tag = "functions",
    responses((status = 200, body = Vec<Template>))
)]
pub(super) async fn function_templates(Caller(_): Caller) -> Json<&'static [Template]> {
    Json(&TEMPLATES)
}
