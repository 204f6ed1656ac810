//! `/api/v1/functions/{id}/model`: a function that speaks the OpenAI protocol as a model of the chat.

use std::time::Duration;

use axum::Json as Answer;
use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use stoa_functions_service::base_url;
use stoa_model::completion::Timers;
use stoa_model::function::{Function, label};
use stoa_model::provider::{ProviderKind, ProviderModel};
use stoa_model::{FunctionId, Principal, ProviderId};
use stoa_storage::{NewProvider, ProviderChange, StorageError};

use crate::app::App;
use crate::endpoints::providers::client::client;
use crate::endpoints::providers::in_force;
use crate::extract::{Caller, Id, Json};
use crate::problem::{Problem, ProblemBody, Result};

/// A function may have to be started first.
const TIMERS: Timers = Timers {
    connect: Duration::from_secs(10),
    first_token: Duration::from_mins(2),
    idle: Duration::from_secs(30),
    total: Duration::from_mins(3),
};

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MakeModel {
    /// The alias that answers; `live` when absent.
    alias: Option<String>,
}

/// The model that a function is now, and whether it answers.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct FunctionAsModel {
    provider_id: ProviderId,
    /// `slug/name`; none where the function offers no model.
    #[schema(required)]
    model: Option<String>,
    check: FunctionCheck,
}

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct FunctionCheck {
    ok: bool,
    /// Until the first piece of the answer.
    #[schema(required)]
    latency_ms: Option<u64>,
    #[schema(required)]
    problem: Option<String>,
}

/// Makes a function a model that everybody here can pick: a provider that is reached within the server, the models that
/// the function lists, and a real, tiny call. Again, all of it is done anew.
#[utoipa::path(
    post, path = "/functions/{id}/model", tag = "functions", params(("id" = FunctionId, Path)),
    request_body = MakeModel,
    responses(
        (status = 200, body = FunctionAsModel),
        (status = 403, body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn make_model(
    State(app): State<App>,
    Caller(principal): Caller,
    Id(id): Id<FunctionId>,
    Json(asked): Json<MakeModel>,
) -> Result<Answer<FunctionAsModel>> {
    let function = own(&app, &principal, id).await?;
    let alias = label("alias", asked.alias.as_deref().unwrap_or(stoa_model::function::LIVE))?;
    if !function.aliases.iter().any(|known| known.name == alias) {
        return Err(Problem::conflict("not_published", "The function has no such alias yet.").hint("Publish it first."));
    }
    let provider = provider(&app, &principal, &function, &alias).await?;
    app.database.set_function_model(&principal, id, Some((provider, alias))).await?;
    let stored = app.database.provider(&principal, provider).await?;
    let client = client(&app, &stored).map_err(|error| Problem::internal(error.to_string()))?;
    let listed = Box::pin(client.list_models()).await;
    // One that lists no models is called by its own name.
    let models = match listed {
        Ok(models) if !models.is_empty() => models,
        Ok(_) | Err(_) => vec![ProviderModel::named(&function.name)],
    };
    let models: Vec<_> = models.into_iter().map(|model| ProviderModel { enabled: true, ..model }).collect();
    let first = models.first().map(|model| model.name.clone());
    app.database.put_provider_models(&principal, provider, models, app.now()).await?;
    in_force(&app).await;
    let check = match Box::pin(client.check(first.as_deref(), TIMERS)).await {
        Ok(checked) => FunctionCheck {
            ok: true,
            latency_ms: Some(u64::try_from(checked.latency.as_millis()).unwrap_or(u64::MAX)),
            problem: None,
        },
        Err(failed) => FunctionCheck { ok: false, latency_ms: None, problem: Some(failed.error.to_string()) },
    };
    let model = first.map(|name| format!("{}/{name}", stored.provider.slug));
    Ok(Answer(FunctionAsModel { provider_id: provider, model, check }))
}

/// A function of the caller's, who may decide what models there are.
async fn own(app: &App, principal: &Principal, id: FunctionId) -> Result<Function> {
    let function = app.database.function(principal, id).await?;
    if principal.may_administer() {
        return Ok(function);
    }
    Err(Problem::forbidden().hint("Administrators decide what models there are; ask one to make this a model."))
}

/// That of the function, made or brought up to date.
async fn provider(app: &App, principal: &Principal, function: &Function, alias: &str) -> Result<ProviderId> {
    let base_url = base_url(&function.name, alias);
    let name = if function.profile.title.is_empty() { &function.name } else { &function.profile.title };
    if let Some(model) = &function.model {
        let change = ProviderChange {
            name: Some(name.clone()),
            base_url: Some(base_url.clone()),
            enabled: Some(true),
            ..ProviderChange::default()
        };
        match app.database.change_provider(principal, model.provider_id, change, app.now()).await {
            Ok(provider) => return Ok(provider.id),
            // Somebody has removed it.
            Err(StorageError::NotFound) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let slug: String = function.name.chars().take(32).collect();
    let new = NewProvider {
        name: name.clone(),
        slug: slug.trim_end_matches('-').to_owned(),
        kind: ProviderKind::Openai,
        base_url,
        api_key: None,
        enabled: true,
    };
    Ok(app.database.create_provider(principal, new, app.now()).await?.id)
}

/// Takes the model of a function away. Conversations with it stay.
#[utoipa::path(
    delete, path = "/functions/{id}/model", tag = "functions", params(("id" = FunctionId, Path)),
    responses(
        (status = 204),
        (status = 403, body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn unmake_model(
    State(app): State<App>,
    Caller(principal): Caller,
    Id(id): Id<FunctionId>,
) -> Result<StatusCode> {
    let function = own(&app, &principal, id).await?;
    let model = function.model.ok_or_else(Problem::not_found)?;
    app.database.set_function_model(&principal, id, None).await?;
    app.database.delete_provider(&principal, model.provider_id).await?;
    in_force(&app).await;
    Ok(StatusCode::NO_CONTENT)
}
