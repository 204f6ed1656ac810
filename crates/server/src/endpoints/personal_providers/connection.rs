//! `GET /api/v1/personal-providers/{id}/connection`

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use stoa_model::PersonalProviderId;
use stoa_providers::openai_endpoints;

use super::allowed;
use crate::app::App;
use crate::extract::{Id, InPerson};
use crate::problem::{Problem, ProblemBody, Result};

/// What a browser needs to call a provider.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct PersonalConnection {
    chat_url: String,
    models_url: String,
    #[schema(required)]
    api_key: Option<String>,
}

/// Where the caller's browser reaches a provider of theirs, and the key for it. For checks and lists of models; what a turn
/// has to call comes with the turn.
#[utoipa::path(
    get, path = "/personal-providers/{id}/connection", tag = "personal-providers",
    params(("id" = PersonalProviderId, Path)),
    responses(
        (status = 200, body = PersonalConnection),
        (status = 403, body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn get_personal_connection(
    State(app): State<App>,
    InPerson(principal): InPerson,
    Id(id): Id<PersonalProviderId>,
) -> Result<Json<PersonalConnection>> {
    allowed(&app)?;
    let stored = app.database.personal_provider(&principal, id).await?;
    let at = openai_endpoints(&stored.provider.base_url).map_err(|error| Problem::internal(error.to_string()))?;
    let api_key = stored.api_key.map(|key| key.expose().to_owned());
    Ok(Json(PersonalConnection { chat_url: at.chat, models_url: at.models, api_key }))
}
