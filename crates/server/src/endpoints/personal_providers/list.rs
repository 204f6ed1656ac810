//! `GET /api/v1/personal-providers`

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use stoa_model::personal::PersonalProvider;

use crate::app::App;
use crate::extract::InPerson;
use crate::problem::{ProblemBody, Result};

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct PersonalProviderList {
    items: Vec<PersonalProvider>,
    /// Whether one may have any here. Those that are there already rest while one may not.
    allowed: bool,
}

/// Lists the caller's own providers with their models, the oldest first. Keys are not shown.
#[utoipa::path(
    get, path = "/personal-providers", tag = "personal-providers",
    responses(
        (status = 200, body = PersonalProviderList),
        (status = 403, body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn list_personal_providers(
    State(app): State<App>,
    InPerson(principal): InPerson,
) -> Result<Json<PersonalProviderList>> {
    let items = app.database.personal_providers(&principal).await?;
    Ok(Json(PersonalProviderList { items, allowed: app.options.personal_providers }))
}
