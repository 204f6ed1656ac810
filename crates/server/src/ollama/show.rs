//! `POST /api/show`: all that a model says of itself.

use std::fmt::Write as _;
use std::fs::File;
use std::path::Path;

use axum::Json as Reply;
use axum::extract::{Request, State};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use stoa_model::Timestamp;
use stoa_model::json::Json;
use stoa_model_store::gguf::{Summary, TensorSummary};
use stoa_model_store::store::{ModelDetails, StoredMessage};
use stoa_models::modelfile::Modelfile;
use stoa_models::template::Role;

use super::answer::find;
use super::caller::Caller;
use super::delete::Named;
use super::error::Refusal;
use super::tags::{Details, capabilities, moment};
use super::{Ollama, body};

/// Longer ones are left out, unless all is asked for: vocabularies are many megabytes.
const SHORT_LIST: u64 = 5;
const LONGEST_LIST: u64 = 1_000_000;

#[derive(Deserialize)]
struct Asked {
    #[serde(flatten)]
    named: Named,
    /// Long lists and the tensors, too.
    #[serde(default)]
    verbose: bool,
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
    model_info: IndexMap<String, Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    projector_info: Option<IndexMap<String, Json>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tensors: Option<Vec<Tensor>>,
    capabilities: Vec<&'static str>,
    modified_at: Timestamp,
}

#[derive(Serialize)]
struct Tensor {
    name: String,
    #[serde(rename = "type")]
    kind: &'static str,
    shape: Vec<u64>,
}

impl From<TensorSummary> for Tensor {
    fn from(TensorSummary { name, kind, shape }: TensorSummary) -> Self {
        Self { name, kind, shape }
    }
}

pub(super) async fn show(
    State(state): State<Ollama>,
    _caller: Caller,
    request: Request,
) -> Result<Reply<Shown>, Refusal> {
    let Asked { named, verbose } = body(request).await?;
    let name = named.model()?;
    let details = find(&state.models, &name).await?;
    let (_, profile) = state.models.runtime.profile(name).await?;
    let path = details.model.path.clone();
    let eye = details.model.projector.as_ref().map(|projector| projector.path.clone());
    let read = move || {
        let eye = eye.map(|path| summary(&path, verbose)).transpose()?;
        Ok::<_, Refusal>((summary(&path, verbose)?, eye.map(|summary| summary.metadata)))
    };
    let (summary, projector_info) = state.models.on_store(move |_| read()).await??;
    let gguf = &details.model.gguf;
    let parameters = parameters(&details);
    let mut text = String::new();
    for (name, value) in &parameters {
        let _ = writeln!(text, "{name:<30} {value}");
    }
    let tensors = verbose.then(|| summary.tensors.iter().cloned().map(Tensor::from).collect());
    Ok(Reply(Shown {
        license: details.licenses.join("\n"),
        modelfile: modelfile(&details, parameters)?,
        parameters: text.trim_end().to_owned(),
        template: details.template.clone().or_else(|| gguf.chat_template.clone()).unwrap_or_default(),
        system: details.system.clone().unwrap_or_default(),
        details: Details::of(gguf),
        messages: details.messages.clone(),
        model_info: info(&details, summary),
        projector_info,
        tensors,
        capabilities: capabilities(gguf, &profile),
        modified_at: moment(details.model.modified_at),
    }))
}

fn summary(path: &Path, verbose: bool) -> Result<Summary, Refusal> {
    let file = File::open(path).map_err(|error| Refusal::internal(&error))?;
    Summary::read(file, if verbose { LONGEST_LIST } else { SHORT_LIST }).map_err(|error| Refusal::internal(&error))
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

/// What the file says, but for what has a place of its own in the answer.
fn info(details: &ModelDetails, summary: Summary) -> IndexMap<String, Json> {
    let mut info = summary.metadata;
    info.shift_remove("general.name");
    info.shift_remove("tokenizer.chat_template");
    info.insert("general.parameter_count".to_owned(), Json::Number(details.model.gguf.parameters.into()));
    info
}
