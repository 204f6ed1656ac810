//! `POST /api/v1/providers`

use axum::Json as Answer;
use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;
use stoa_identity::validation::Report;
use stoa_model::provider::{Provider, ProviderKind};
use stoa_storage::NewProvider;

use super::{fields, in_force};
use crate::app::App;
use crate::extract::{Administrator, Json};
use crate::problem::{Problem, ProblemBody, Result};

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateProvider {
    /// 1 to 100 characters.
    name: String,
    /// The first part of its models' ids. Never changes.
    #[schema(pattern = "^[a-z0-9][a-z0-9-]{0,31}$")]
    slug: String,
    kind: ProviderKind,
    /// `http` or `https`, without user name and fragment, and without query but `api-version`; at most 2,048 bytes.
    #[schema(examples("https://api.openai.com/v1"))]
    base_url: String,
    /// Sealed, and never shown again. Many servers of one's own want none.
    api_key: Option<String>,
    /// Whether people may use its models; they may when absent.
    #[serde(default = "enabled")]
    enabled: bool,
}

const fn enabled() -> bool {
    true
}

/// Adds a provider. Its models are fetched or written down next.
#[utoipa::path(
    post, path = "/providers", tag = "providers", request_body = CreateProvider,
    responses(
        (status = 201, body = Provider),
        (status = 403, body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, body = ProblemBody, content_type = "application/problem+json", description = "slug_taken"),
        (status = 422, body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn create_provider(
    State(app): State<App>,
    Administrator(principal): Administrator,
    Json(new): Json<CreateProvider>,
) -> Result<(StatusCode, Answer<Provider>)> {
    let mut report = Report::new();
    let name = report.check("name", fields::name(&new.name));
    let slug = report.check("slug", fields::slug(&new.slug));
    let base_url = report.check("base_url", fields::base_url(&new.base_url));
    let api_key = report.check("api_key", new.api_key.as_deref().map_or(Ok(None), fields::api_key));
    let (Some(name), Some(slug), Some(base_url), Some(api_key)) = (name, slug, base_url, api_key) else {
        return Err(Problem::fields(report.into_errors()));
    };
    let new = NewProvider { name, slug, kind: new.kind, base_url, api_key, enabled: new.enabled };
    let provider = app.database.create_provider(&principal, new, app.now()).await?;
    in_force(&app).await;
    Ok((StatusCode::CREATED, Answer(provider)))
}
