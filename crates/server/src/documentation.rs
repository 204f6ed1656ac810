//! The OpenAPI document of the API.

use utoipa::OpenApi;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};

use crate::problem::ProblemBody;

#[derive(OpenApi)]
#[openapi(
    info(title = "Stoa", description = "The HTTP API of Stoa. Errors are problem details (RFC 9457)."),
    components(schemas(ProblemBody, stoa_model::StreamId)),
    modifiers(&Doors),
    security(("session" = []), ("key" = []))
)]
pub(crate) struct Document;

/// How callers are known.
struct Doors;

impl utoipa::Modify for Doors {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_default();
        let cookie = ApiKey::Cookie(ApiKeyValue::new(stoa_identity::cookie::NAME));
        components.add_security_scheme("session", SecurityScheme::ApiKey(cookie));
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
        components.add_security_scheme("key", SecurityScheme::Http(bearer));
    }
}

/// The document as `/api/v1/openapi.json` answers it.
pub fn openapi_json() -> Result<String, serde_json::Error> {
    let (_, document) = crate::routes::api().split_for_parts();
    serde_json::to_string_pretty(&document).map(|json| json + "\n")
}
