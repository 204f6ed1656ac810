//! `POST /api/show`: all that a model says of itself.

use std::fmt::Write as _;

use axum::Json;
use axum::extract::{Request, State};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use stoa_model::Timestamp;
use stoa_model_store::store::{ModelDetails, StoredMessage};
use stoa_models::modelfile::Modelfile;
use stoa_models::template::Role;

use super::answer::find;
use super::caller::Caller;
use super::delete::Named;
use super::error::Refusal;
use super::tags::{Details, capabilities, moment};
use super::{Ollama, body};

#[derive(Deserialize)]
struct Asked {
    #[serde(flatten)]
    named: Named,
}

#[derive(Serialize)]
pub(super) struct Shown {
    #[serde(skip_serializing_if = "String::is_empty")]
    license: String,
    modelfile: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    parameters: String,
    template: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    system: String,
    details: Details,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    messages: Vec<StoredMessage>,
    model_info: Map<String, Value>,
    capabilities: Vec<&'static str>,
    modified_at: Timestamp,
}

pub(super) async fn show(
    State(state): State<Ollama>,
    _caller: Caller,
    request: Request,
) -> Result<Json<Shown>, Refusal> {
    let name = body::<Asked>(request).await?.named.model()?;
    let details = find(&state.models, &name).await?;
    let (_, profile) = state.models.runtime.profile(name).await?;
    let gguf = &details.model.gguf;
    let parameters = parameters(&details);
    let mut text = String::new();
    for (name, value) in &parameters {
        let _ = writeln!(text, "{name:<30} {value}");
    }
    Ok(Json(Shown {
        license: details.licenses.join("\n"),
        modelfile: modelfile(&details, parameters)?,
        parameters: text.trim_end().to_owned(),
        template: details.template.clone().or_else(|| gguf.chat_template.clone()).unwrap_or_default(),
        system: details.system.clone().unwrap_or_default(),
        details: Details::of(gguf),
        messages: details.messages.clone(),
        model_info: info(&details),
        capabilities: capabilities(&profile),
        modified_at: moment(details.model.modified_at),
    }))
}

/// Each on its own, a list of stop strings one by one.
fn parameters(details: &ModelDetails) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for (name, value) in &details.parameters {
        match value {
            Value::Array(items) => all.extend(items.iter().map(|item| (name.clone(), item.to_string()))),
            value => all.push((name.clone(), value.to_string())),
        }
    }
    all
}

fn modelfile(details: &ModelDetails, parameters: Vec<(String, String)>) -> Result<String, Refusal> {
    let file = Modelfile {
        from: vec![details.model.name.to_string()],
        template: details.template.clone(),
        system: details.system.clone(),
        parameters: parameters
            .into_iter()
            .map(|(name, value)| (name, serde_json::from_str::<String>(&value).unwrap_or(value)))
            .collect(),
        messages: details
            .messages
            .iter()
            .filter_map(|message| Some((Role::parse(&message.role)?, message.content.clone())))
            .collect(),
        licenses: details.licenses.clone(),
        ..Modelfile::default()
    };
    file.to_text().map_err(|error| Refusal::internal(&error))
}

/// The keys of the file that say what kind of model it is.
fn info(details: &ModelDetails) -> Map<String, Value> {
    let gguf = &details.model.gguf;
    let kind = &gguf.architecture;
    let mut info = Map::new();
    info.insert("general.architecture".to_owned(), json!(kind));
    info.insert("general.parameter_count".to_owned(), json!(gguf.parameters));
    info.insert(format!("{kind}.context_length"), json!(gguf.context_length));
    info.insert(format!("{kind}.block_count"), json!(gguf.block_count));
    info.insert(format!("{kind}.embedding_length"), json!(gguf.embedding_length));
    info
}
