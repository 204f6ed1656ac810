//! `PUT /api/v1/providers/{id}/models`

use axum::Json as Answer;
use axum::extract::State;
use serde::Deserialize;
use stoa_model::ProviderId;
use stoa_model::provider::{Provider, ProviderModel};

use super::{fields, in_force};
use crate::app::App;
use crate::extract::{Administrator, Id, Json};
use crate::problem::{Problem, ProblemBody, Result};

/// 2,000 models with the longest names there can be.
const BODY_BYTES: usize = 4 * 1024 * 1024;

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReplaceModels {
    /// At most 2,000, each name once, in the order they are shown.
    models: Vec<ProviderModel>,
}

/// Replaces the models of a provider.
#[utoipa::path(
    put, path = "/providers/{id}/models", tag = "providers", params(("id" = ProviderId, Path)),
    request_body = ReplaceModels,
    responses(
        (status = 200, body = Provider),
        (status = 403, body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn put_models(
    State(app): State<App>,
    Administrator(principal): Administrator,
    Id(id): Id<ProviderId>,
    Json(given): Json<ReplaceModels, BODY_BYTES>,
) -> Result<Answer<Provider>> {
    let models = fields::models(given.models).map_err(|report| Problem::fields(report.into_errors()))?;
    let provider = app.database.put_provider_models(&principal, id, models, app.now()).await?;
    in_force(&app).await;
    Ok(Answer(provider))
}
