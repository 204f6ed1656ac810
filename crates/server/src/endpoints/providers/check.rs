//! `POST /api/v1/providers/{id}/check`

use std::time::Duration;

use axum::Json as Answer;
use axum::extract::{Request, State};
use serde::{Deserialize, Serialize};
use stoa_model::ProviderId;
use stoa_model::completion::{CompletionError, Timers};

use super::client::client;
use crate::app::App;
use crate::extract::{Administrator, Id, parse_json, read_body};
use crate::problem::{Problem, ProblemBody, Result};

/// An admin waits before the page; a model that is being loaded may take its time.
const TIMERS: Timers = Timers {
    connect: Duration::from_secs(10),
    first_token: Duration::from_mins(1),
    idle: Duration::from_secs(30),
    total: Duration::from_secs(90),
};
const BODY_BYTES: usize = 4 * 1024;
const MODEL_NAME_BYTES: usize = 256;

#[derive(Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CheckProvider {
    /// The name the provider knows it by. Without one, the first enabled model, or else the first that the provider lists.
    model: Option<String>,
}

/// Whether a provider answers.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct CheckResult {
    ok: bool,
    /// The model that was tried, when it came that far.
    #[schema(required)]
    model: Option<String>,
    /// Until the first piece of the answer.
    #[schema(required)]
    latency_ms: Option<u64>,
    #[schema(required)]
    failure: Option<CheckFailure>,
}

/// The real error.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct CheckFailure {
    /// As in problem details.
    code: String,
    detail: String,
    /// The private `host:port` that an admin may allow, where that is what stands in the way.
    #[serde(skip_serializing_if = "Option::is_none")]
    authority: Option<String>,
}

/// Makes one real, tiny call of a model and says how it went.
#[utoipa::path(
    post, path = "/providers/{id}/check", tag = "providers", params(("id" = ProviderId, Path)),
    request_body = CheckProvider,
    responses(
        (status = 200, body = CheckResult),
        (status = 403, body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn check_provider(
    State(app): State<App>,
    Administrator(principal): Administrator,
    Id(id): Id<ProviderId>,
    request: Request,
) -> Result<Answer<CheckResult>> {
    let body = read_body(request, BODY_BYTES).await?;
    // There is nothing that must be said, so nothing need be said.
    let asked = if body.is_empty() { CheckProvider::default() } else { parse_json::<CheckProvider>(&body)? };
    if asked.model.as_ref().is_some_and(|model| model.is_empty() || model.len() > MODEL_NAME_BYTES) {
        return Err(Problem::field("model", format!("Use 1 to {MODEL_NAME_BYTES} bytes.")));
    }
    let stored = app.database.provider(&principal, id).await?;
    let first = stored.provider.models.iter().find(|model| model.enabled).map(|model| model.name.clone());
    let model = asked.model.or(first);
    let result = match client(&app, &stored) {
        Ok(provider) => match Box::pin(provider.check(model.as_deref(), TIMERS)).await {
            Ok(checked) => CheckResult {
                ok: true,
                model: Some(checked.model),
                latency_ms: Some(u64::try_from(checked.latency.as_millis()).unwrap_or(u64::MAX)),
                failure: None,
            },
            Err(failed) => failure(failed.model, &failed.error),
        },
        Err(error) => failure(model, &error),
    };
    Ok(Answer(result))
}

fn failure(model: Option<String>, error: &CompletionError) -> CheckResult {
    let authority = match error {
        CompletionError::AddressRefused { authority } => Some(authority.clone()),
        _ => None,
    };
    let failure = CheckFailure { code: error.code().to_owned(), detail: error.to_string(), authority };
    CheckResult { ok: false, model, latency_ms: None, failure: Some(failure) }
}
