//! `POST /api/create`: a new model from one that is there, or from uploaded files.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use futures_util::StreamExt as _;
use serde::Deserialize;
use serde_json::{Map, Value};
use stoa_model::json::Json;
use stoa_model_store::store::{NewModel, StoredMessage};
use stoa_model_store::{Digest, ModelName};
use stoa_models::options::ModelOptions;
use tokio::sync::mpsc;

use super::caller::Manager;
use super::delete::Named;
use super::error::Refusal;
use super::progress::{self, Progress};
use super::{Ollama, body};

#[derive(Deserialize)]
struct Create {
    #[serde(flatten)]
    named: Named,
    #[serde(default)]
    from: String,
    /// File names, which mean nothing here, and the blobs behind them.
    #[serde(default)]
    files: BTreeMap<String, String>,
    #[serde(default)]
    adapters: BTreeMap<String, String>,
    #[serde(default)]
    template: Option<String>,
    #[serde(default)]
    system: Option<String>,
    #[serde(default)]
    license: Option<Licenses>,
    #[serde(default)]
    parameters: Map<String, Value>,
    #[serde(default)]
    messages: Vec<StoredMessage>,
    #[serde(default)]
    quantize: Option<String>,
    #[serde(default)]
    stream: Option<bool>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Licenses {
    One(String),
    Many(Vec<String>),
}

pub(super) async fn create(
    State(state): State<Ollama>,
    _manager: Manager,
    request: Request,
) -> Result<Response, Refusal> {
    let asked: Create = body(request).await?;
    let streaming = asked.stream.unwrap_or(true);
    let (name, new) = understood(asked)?;
    let (lines, receiver) = mpsc::unbounded_channel();
    let store = Arc::clone(state.models.store());
    let making = tokio::task::spawn_blocking(move || {
        let mut tell = |event: stoa_model_store::store::CreateEvent| {
            // Nobody may be listening any more; the model is made all the same.
            let _ = lines.send(Progress::says(event.status()));
        };
        store.create(&name, &new, &mut tell).map(drop)
    });
    let models = state.models.clone();
    let end = async move {
        match making.await {
            Ok(Ok(())) => {
                (models.refresh)().await;
                None
            }
            Ok(Err(error)) => Some(Err(error.into())),
            Err(error) => Some(Err(Refusal::internal(&error))),
        }
    };
    let told = futures_util::stream::unfold(receiver, |mut lines| async move {
        let line = lines.recv().await?;
        Some((Ok(line), lines))
    });
    let lines = told.chain(futures_util::stream::once(end).filter_map(std::future::ready));
    progress::send(lines.boxed(), streaming).await
}

fn understood(asked: Create) -> Result<(ModelName, NewModel), Refusal> {
    if asked.quantize.as_ref().is_some_and(|kind| !kind.is_empty()) {
        return Err(Refusal::invalid("`quantize` is not supported here"));
    }
    let name = |text: &str| text.parse::<ModelName>().map_err(|_| Refusal::invalid("invalid model name"));
    let digests = |files: BTreeMap<String, String>| {
        let parsed = files.into_values().map(|text| text.parse::<Digest>());
        parsed.collect::<Result<Vec<_>, _>>().map_err(|_| Refusal::invalid("invalid digest format"))
    };
    let parameters =
        Json::parse(&Value::Object(asked.parameters.clone()).to_string()).map_err(|error| Refusal::internal(&error))?;
    ModelOptions::parse(&parameters).map_err(|error| Refusal::invalid(error.to_string()))?;
    let from = if asked.from.is_empty() { None } else { Some(name(&asked.from)?) };
    if from.is_none() && asked.files.is_empty() {
        return Err(Refusal::invalid("neither 'from' or 'files' was specified"));
    }
    let new = NewModel {
        from,
        files: digests(asked.files)?,
        adapters: digests(asked.adapters)?,
        template: asked.template,
        system: asked.system,
        licenses: match asked.license {
            Some(Licenses::One(text)) => vec![text],
            Some(Licenses::Many(texts)) => texts,
            None => Vec::new(),
        },
        parameters: asked.parameters,
        messages: asked.messages,
    };
    Ok((name(&asked.named.model()?)?, new))
}
