//! `PATCH /api/v1/personal-providers/{id}`

use axum::Json as Answer;
use axum::extract::State;
use serde::Deserialize;
use stoa_identity::validation::Report;
use stoa_model::PersonalProviderId;
use stoa_model::personal::PersonalProvider;
use stoa_storage::PersonalProviderChange;

use super::allowed;
use crate::app::App;
use crate::endpoints::providers::fields::{self, KeyChange};
use crate::extract::{Id, InPerson, Json};
use crate::problem::{Problem, ProblemBody, Result};

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChangePersonalProvider {
    /// 1 to 100 characters.
    name: Option<String>,
    /// `http` or `https`, without user name and fragment; at most 2,048 bytes.
    base_url: Option<String>,
    /// A new key; null takes the present one away; absent leaves it.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    api_key: KeyChange,
}

/// Changes what is given and leaves the rest.
#[utoipa::path(
    patch, path = "/personal-providers/{id}", tag = "personal-providers",
    params(("id" = PersonalProviderId, Path)), request_body = ChangePersonalProvider,
    responses(
        (status = 200, body = PersonalProvider),
        (status = 403, body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn change_personal_provider(
    State(app): State<App>,
    InPerson(principal): InPerson,
    Id(id): Id<PersonalProviderId>,
    Json(change): Json<ChangePersonalProvider>,
) -> Result<Answer<PersonalProvider>> {
    allowed(&app)?;
    let mut report = Report::new();
    let name = change.name.as_deref().and_then(|name| report.check("name", fields::name(name)));
    let base_url = change.base_url.as_deref().and_then(|url| report.check("base_url", fields::base_url(url)));
    let api_key = report.check("api_key", change.api_key.read()).flatten();
    if !report.is_clean() {
        return Err(Problem::fields(report.into_errors()));
    }
    let change = PersonalProviderChange { name, base_url, api_key, models: None };
    Ok(Answer(app.database.change_personal_provider(&principal, id, change, app.now()).await?))
}
