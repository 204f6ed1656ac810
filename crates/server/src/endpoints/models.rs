//! `GET /api/v1/models`: what a person may pick.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use stoa_model::personal::PersonalProvider;
use stoa_model::provider::AvailableModel;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::extract::Caller;
use crate::problem::{ProblemBody, Result};

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list_models))
}

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct ModelList {
    items: Vec<AvailableModel>,
}

/// Lists the models that the caller may use, in a browser also those of their own providers.
#[utoipa::path(
    get, path = "/models", tag = "models",
    responses((status = 200, body = ModelList), (status = 401, body = ProblemBody, content_type = "application/problem+json"))
)]
async fn list_models(State(app): State<App>, Caller(principal): Caller) -> Result<Json<ModelList>> {
    let mut items = app.dispatch.models(&principal);
    // No program can call these.
    if app.options.personal_providers && principal.session_id().is_some() {
        let providers = app.database.personal_providers(&principal).await?;
        items.extend(providers.iter().flat_map(PersonalProvider::offered));
    }
    Ok(Json(ModelList { items }))
}
