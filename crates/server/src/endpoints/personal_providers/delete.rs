//! `DELETE /api/v1/personal-providers/{id}`

use axum::extract::State;
use http::StatusCode;
use stoa_model::PersonalProviderId;

use crate::app::App;
use crate::extract::{Id, InPerson};
use crate::problem::{ProblemBody, Result};

/// Deletes a provider with its key and models. What its models have answered stays.
#[utoipa::path(
    delete, path = "/personal-providers/{id}", tag = "personal-providers",
    params(("id" = PersonalProviderId, Path)),
    responses((status = 204), (status = 404, body = ProblemBody, content_type = "application/problem+json"))
)]
pub(super) async fn delete_personal_provider(
    State(app): State<App>,
    InPerson(principal): InPerson,
    Id(id): Id<PersonalProviderId>,
) -> Result<StatusCode> {
    app.database.delete_personal_provider(&principal, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
