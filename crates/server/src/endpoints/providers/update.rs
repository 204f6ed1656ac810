//! `PATCH /api/v1/providers/{id}`

use axum::Json as Answer;
use axum::extract::State;
use serde::Deserialize;
use stoa_identity::validation::Report;
use stoa_model::ProviderId;
use stoa_model::provider::Provider;
use stoa_storage::ProviderChange;

use super::fields::{self, KeyChange};
use super::in_force;
use crate::app::App;
use crate::extract::{Administrator, Id, Json};
use crate::problem::{Problem, ProblemBody, Result};

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UpdateProvider {
    /// 1 to 100 characters.
    name: Option<String>,
    /// `http` or `https`, without user name and fragment, and without query but `api-version`; at most 2,048 bytes.
    base_url: Option<String>,
    /// A new key; null takes the present one away; absent leaves it.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    api_key: KeyChange,
    enabled: Option<bool>,
}

/// Changes what is given and leaves the rest.
#[utoipa::path(
    patch, path = "/providers/{id}", tag = "providers", params(("id" = ProviderId, Path)),
    request_body = UpdateProvider,
    responses(
        (status = 200, body = Provider),
        (status = 403, body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn update_provider(
    State(app): State<App>,
    Administrator(principal): Administrator,
    Id(id): Id<ProviderId>,
    Json(change): Json<UpdateProvider>,
) -> Result<Answer<Provider>> {
    let mut report = Report::new();
    let name = change.name.as_deref().and_then(|name| report.check("name", fields::name(name)));
    let base_url = change.base_url.as_deref().and_then(|url| report.check("base_url", fields::base_url(url)));
    let api_key = report.check("api_key", change.api_key.read()).flatten();
    if !report.is_clean() {
        return Err(Problem::fields(report.into_errors()));
    }
    let change = ProviderChange { name, base_url, api_key, enabled: change.enabled };
    let provider = app.database.change_provider(&principal, id, change, app.now()).await?;
    in_force(&app).await;
    Ok(Answer(provider))
}
