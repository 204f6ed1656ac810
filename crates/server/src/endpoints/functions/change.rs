//! `PATCH /api/v1/functions/{id}`

use axum::Json as Answer;
use axum::extract::State;
use serde::Deserialize;
use serde_json::Value;
use stoa_identity::jwt::KeySet;
use stoa_model::FunctionId;
use stoa_model::function::{Function, FunctionProfile, HttpTrigger, JwtKeys, ModelAccess};
use stoa_storage::FunctionChange;

use super::settings;
use crate::app::App;
use crate::extract::{Caller, Id, Json};
use crate::problem::{Problem, ProblemBody, Result};

/// What is absent stays.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChangeFunction {
    title: Option<String>,
    description: Option<String>,
    /// All of them.
    #[schema(value_type = Option<Object>)]
    settings: Option<Value>,
    /// The one that the settings were made from; needed with them.
    revision: Option<i64>,
    http: Option<HttpTrigger>,
    /// Holds for all versions, at once.
    models: Option<ModelAccess>,
}

fn checked(http: HttpTrigger) -> Result<HttpTrigger> {
    let http = http.checked()?;
    if let Some(JwtKeys::Set(set)) = http.jwt.as_ref().map(|rules| &rules.keys) {
        KeySet::parse(set.to_string().as_bytes()).map_err(|error| Problem::field("jwt.keys", format!("{error}.")))?;
    }
    Ok(http)
}

/// Changes a function. What runs by an alias goes on as it was published.
#[utoipa::path(
    patch, path = "/functions/{id}", tag = "functions", params(("id" = FunctionId, Path)),
    request_body = ChangeFunction,
    responses(
        (status = 200, body = Function),
        (status = 404, body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, body = ProblemBody, content_type = "application/problem+json", description = "function_changed"),
        (status = 422, body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn change_function(
    State(app): State<App>,
    Caller(principal): Caller,
    Id(id): Id<FunctionId>,
    Json(change): Json<ChangeFunction>,
) -> Result<Answer<Function>> {
    if change.settings.is_some() && change.revision.is_none() {
        return Err(Problem::field("revision", "Settings need the revision that they were made from."));
    }
    let http = change.http.map(checked).transpose()?;
    let profile = match (change.title, change.description) {
        (None, None) => None,
        (title, description) => {
            let old = app.database.function(&principal, id).await?.profile;
            let new = FunctionProfile {
                title: title.unwrap_or(old.title),
                description: description.unwrap_or(old.description),
            };
            Some(new.checked()?)
        }
    };
    let models = change.models.map(ModelAccess::checked).transpose()?;
    let settings = change.settings.map(settings::checked).transpose()?;
    let change = FunctionChange { profile, http, models, settings, code: None, revision: change.revision };
    let changed = app.database.change_function(&principal, id, change, app.now()).await;
    Ok(Answer(changed.map_err(settings::kept)?))
}
