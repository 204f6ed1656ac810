//! `POST /api/v1/functions`

use axum::Json as Answer;
use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;
use serde_json::Value;
use stoa_functions_service::{Code, Template, template};
use stoa_model::function::{Function, FunctionProfile, Language, ModelAccess, label};
use stoa_storage::NewFunction;

use super::code::keep;
use super::settings;
use crate::app::App;
use crate::extract::{Caller, Json};
use crate::problem::{Problem, ProblemBody, Result};

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateFunction {
    /// 1 to 40 of a-z, 0-9 and -, beginning with a letter. In its address, and never changes.
    name: String,
    #[serde(default)]
    title: String,
    #[serde(default)]
    description: String,
    /// The id of a template; without one, it has no code yet, and needs settings.
    template: Option<String>,
    /// Those of the template when absent.
    #[schema(value_type = Option<Object>)]
    settings: Option<Value>,
    /// What the template needs when absent.
    models: Option<ModelAccess>,
}

/// What a program is written in, by what runs it.
fn spoken(settings: &Value) -> Language {
    match settings["command"][0].as_str() {
        Some("python3") => Language::Python,
        Some("node") => Language::Node,
        _ => Language::Other,
    }
}

/// Makes a function, of a template or empty.
#[utoipa::path(
    post, path = "/functions", tag = "functions", request_body = CreateFunction,
    responses(
        (status = 201, body = Function),
        (status = 403, body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn create_function(
    State(app): State<App>,
    Caller(principal): Caller,
    Json(new): Json<CreateFunction>,
) -> Result<(StatusCode, Answer<Function>)> {
    if !app.functions.may_make(&principal) {
        return Err(Problem::forbidden().hint("Administrators make functions on this server."));
    }
    let name = label("name", &new.name)?;
    let profile = FunctionProfile { title: new.title, description: new.description }.checked()?;
    let from = match &new.template {
        Some(id) => Some(template(id).ok_or_else(|| Problem::field("template", "There is no such template."))?),
        None => None,
    };
    let settings = new.settings.or_else(|| from.map(Template::settings));
    let settings = settings.ok_or_else(|| Problem::field("settings", "Without a template, say what runs it."))?;
    let settings = settings::checked(settings)?;
    let models = match new.models {
        Some(models) => models.checked()?,
        None => from.map(Template::models).unwrap_or_default(),
    };
    let code = from.map_or_else(|| Ok(Code::default()), Template::code)?;
    let code = keep(&app, &code).await?;
    let new = NewFunction {
        name,
        profile,
        language: from.map_or_else(|| spoken(&settings), |from| from.language),
        template: new.template,
        settings,
        code,
        models,
    };
    let function = app.database.create_function(&principal, new, app.now()).await.map_err(settings::kept)?;
    Ok((StatusCode::CREATED, Answer(function)))
}
