//! `PATCH /api/v1/providers/{id}`

use axum::Json as Answer;
use axum::extract::State;
use serde::{Deserialize, Deserializer};
use stoa_identity::validation::Report;
use stoa_model::ProviderId;
use stoa_model::provider::Provider;
use stoa_storage::{ProviderChange, Secret};

use super::{fields, in_force};
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

/// What to do about the key; in JSON absent, null or text.
#[derive(Default)]
enum KeyChange {
    #[default]
    Keep,
    Clear,
    Replace(String),
}

impl<'de> Deserialize<'de> for KeyChange {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::deserialize(deserializer)?.map_or(Self::Clear, Self::Replace))
    }
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
    let api_key = match change.api_key {
        KeyChange::Keep => None,
        KeyChange::Clear => Some(None),
        KeyChange::Replace(text) => report.check("api_key", new_key(&text).map(Some)),
    };
    if !report.is_clean() {
        return Err(Problem::fields(report.into_errors()));
    }
    let change = ProviderChange { name, base_url, api_key, enabled: change.enabled };
    let provider = app.database.change_provider(&principal, id, change, app.now()).await?;
    in_force(&app).await;
    Ok(Answer(provider))
}

/// An empty text is most likely a field that nobody touched, so it does not take a key away.
fn new_key(text: &str) -> Result<Secret, String> {
    let blank = "Enter a key, leave it out to keep the present one, or send null to take it away.";
    fields::api_key(text)?.ok_or_else(|| blank.to_owned())
}
