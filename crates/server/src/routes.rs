//! The map of the application: which path is whose, and what stands before all of them.

use axum::middleware::{from_fn, from_fn_with_state};
use axum::{Extension, Router};
use http::StatusCode;
use utoipa::OpenApi as _;
use utoipa_axum::router::OpenApiRouter;

use crate::app::App;
use crate::documentation::Document;
use crate::problem::Problem;
use crate::{endpoints, function_door, openai, pages, same_origin, security_headers, to_the_end, trace};

/// The application as a tower service.
pub fn application(app: App) -> Router {
    let (api, _) = api().split_for_parts();
    let api =
        api.layer(from_fn_with_state(app.clone(), to_the_end::to_the_end)).layer(from_fn(same_origin::same_origin));
    Router::new()
        .merge(api)
        .merge(openai::routes())
        .merge(function_door::routes())
        .merge(endpoints::health::routes())
        .merge(endpoints::metrics::routes())
        .fallback(pages::pages)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(from_fn(security_headers::security_headers))
        .layer(from_fn_with_state(app.clone(), trace::trace))
        .with_state(app)
}

/// What functions of this server find where nobody else comes in: models, and one another. There they may show the token
/// that they were given.
pub fn routes_for_functions(app: App) -> Router {
    Router::new()
        .merge(openai::routes())
        .merge(function_door::routes())
        .layer(Extension(FunctionsComeIn))
        .layer(from_fn_with_state(app.clone(), trace::trace))
        .with_state(app)
}

/// Says that a request came by that way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FunctionsComeIn;

/// `/api/v1`, with its document.
pub(crate) fn api() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(Document::openapi()).nest("/api/v1", endpoints::routes())
}

pub(crate) async fn method_not_allowed() -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "This address does not take that method.")
}
