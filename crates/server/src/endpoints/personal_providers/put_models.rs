//! `PUT /api/v1/personal-providers/{id}/models`

use axum::Json as Answer;
use axum::extract::State;
use serde::Deserialize;
use stoa_model::PersonalProviderId;
use stoa_model::personal::PersonalProvider;
use stoa_model::provider::ProviderModel;
use stoa_storage::PersonalProviderChange;

use super::allowed;
use crate::app::App;
use crate::endpoints::providers::fields;
use crate::extract::{Id, InPerson, Json};
use crate::problem::{Problem, ProblemBody, Result};

const MODELS: usize = 200;

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReplacePersonalModels {
    /// At most 200, each name once, in the order they are shown. None has a stand-in.
    models: Vec<ProviderModel>,
}

/// Replaces the models of a provider.
#[utoipa::path(
    put, path = "/personal-providers/{id}/models", tag = "personal-providers",
    params(("id" = PersonalProviderId, Path)), request_body = ReplacePersonalModels,
    responses(
        (status = 200, body = PersonalProvider),
        (status = 403, body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn put_personal_models(
    State(app): State<App>,
    InPerson(principal): InPerson,
    Id(id): Id<PersonalProviderId>,
    Json(given): Json<ReplacePersonalModels>,
) -> Result<Answer<PersonalProvider>> {
    allowed(&app)?;
    if given.models.len() > MODELS {
        return Err(Problem::field("models", format!("Use at most {MODELS} models.")));
    }
    if let Some(place) = given.models.iter().position(|model| model.stand_in.is_some()) {
        let fault = "The server calls none of these models, and so no other in their place.";
        return Err(Problem::field(&format!("models.{place}.stand_in"), fault));
    }
    let models = fields::models(given.models).map_err(|report| Problem::fields(report.into_errors()))?;
    let change = PersonalProviderChange { models: Some(models), ..PersonalProviderChange::default() };
    Ok(Answer(app.database.change_personal_provider(&principal, id, change, app.now()).await?))
}
