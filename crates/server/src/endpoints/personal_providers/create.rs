//! `POST /api/v1/personal-providers`

use axum::Json as Answer;
use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;
use stoa_identity::validation::Report;
use stoa_model::personal::PersonalProvider;
use stoa_storage::NewPersonalProvider;

use super::allowed;
use crate::app::App;
use crate::endpoints::providers::fields;
use crate::extract::{InPerson, Json};
use crate::problem::{Problem, ProblemBody, Result};

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreatePersonalProvider {
    /// 1 to 100 characters.
    name: String,
    /// The first part of its models' ids, behind a `~`. Never changes.
    #[schema(pattern = "^[a-z0-9][a-z0-9-]{0,31}$")]
    slug: String,
    /// Where OpenAI's chat completions are spoken: `http` or `https`, without user name and fragment.
    #[schema(examples("http://127.0.0.1:11434/v1"))]
    base_url: String,
    /// Sealed, and handed to the owner's browser only.
    api_key: Option<String>,
}

/// Adds a provider that the caller's own browser calls. The server never connects to it.
#[utoipa::path(
    post, path = "/personal-providers", tag = "personal-providers", request_body = CreatePersonalProvider,
    responses(
        (status = 201, body = PersonalProvider),
        (status = 403, body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, body = ProblemBody, content_type = "application/problem+json", description = "slug_taken"),
        (status = 422, body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn create_personal_provider(
    State(app): State<App>,
    InPerson(principal): InPerson,
    Json(new): Json<CreatePersonalProvider>,
) -> Result<(StatusCode, Answer<PersonalProvider>)> {
    allowed(&app)?;
    let mut report = Report::new();
    let name = report.check("name", fields::name(&new.name));
    let slug = report.check("slug", fields::slug(&new.slug));
    let base_url = report.check("base_url", fields::base_url(&new.base_url));
    let api_key = report.check("api_key", new.api_key.as_deref().map_or(Ok(None), fields::api_key));
    let (Some(name), Some(slug), Some(base_url), Some(api_key)) = (name, slug, base_url, api_key) else {
        return Err(Problem::fields(report.into_errors()));
    };
    let new = NewPersonalProvider { name, slug, base_url, api_key };
    Ok((StatusCode::CREATED, Answer(app.database.create_personal_provider(&principal, new, app.now()).await?)))
}
