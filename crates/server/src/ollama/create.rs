//! `POST /api/create`: a new model from one that is there, or from uploaded files.

use std::collections::BTreeMap;

use axum::extract::{Request, State};
use axum::response::Response;
use futures_util::StreamExt as _;
use serde::Deserialize;
use serde_json::{Map, Value};
use stoa_model::json::Json;
use stoa_model_store::store::{NewModel, StoredMessage};
use stoa_model_store::{Digest, ModelName, Store, StoreError};
use stoa_models::options::ModelOptions;
use stoa_models::protocol::Quantization;
use tokio::sync::mpsc;

use super::caller::Manager;
use super::delete::Named;
use super::error::Refusal;
use super::progress::{self, Layer, Progress};
use super::{Ollama, body};
use crate::local_models::LocalModelService;

/// What can be packed without losing twice.
const WHOLE: [&str; 3] = ["F16", "BF16", "F32"];

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
    /// What it was called once.
    #[serde(default)]
    quantization: Option<String>,
    #[serde(default)]
    stream: Option<bool>,
    #[serde(flatten)]
    more: Map<String, Value>,
}

/// What Ollama takes besides, and a model would be another without.
const NOT_HERE: [&str; 6] = ["renderer", "parser", "draft_files", "draft_quantize", "info", "remote_host"];

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
    let (name, new, pack) = understood(asked)?;
    let (lines, receiver) = mpsc::unbounded_channel();
    let making = Making { name, new, pack, models: state.models.clone(), lines };
    let making = state.app.door.tasks().spawn(making.run());
    let models = state.models.clone();
    let end = async move {
        match making.await {
            Ok(Ok(())) => {
                (models.refresh)().await;
                None
            }
            Ok(Err(refusal)) => Some(Err(refusal)),
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

/// A model in the making. Nobody may be listening any more; it is made all the same.
struct Making {
    name: ModelName,
    new: NewModel,
    pack: Option<Quantization>,
    models: LocalModelService,
    lines: mpsc::UnboundedSender<Progress>,
}

impl Making {
    async fn run(self) -> Result<(), Refusal> {
        let Self { name, mut new, pack, models, lines } = self;
        if let Some(to) = pack {
            new = packed(&models, new, to, &lines).await?;
        }
        let create = move |store: &Store| {
            store.create(&name, &new, &mut |event| drop(lines.send(Progress::says(event.status())))).map(drop)
        };
        Ok(models.on_store(create).await??)
    }
}

/// The same model with its weights packed anew.
async fn packed(
    models: &LocalModelService,
    new: NewModel,
    to: Quantization,
    lines: &mpsc::UnboundedSender<Progress>,
) -> Result<NewModel, Refusal> {
    let asked = new.clone();
    let begin = move |store: &Store| Ok::<_, StoreError>((store.weights_of(&asked)?, store.begin_weights()?));
    let (weights, file) = models.on_store(begin).await??;
    let from = &weights.gguf.quantization;
    if !WHOLE.contains(&from.as_str()) {
        return Err(Refusal::invalid(format!(
            "weights in {from} cannot be packed again; those in F16, BF16 or F32 can"
        )));
    }
    let status = format!("quantizing {from} model to {to}");
    let total = std::fs::metadata(&weights.path).map_or(0, |file| file.len());
    let tell = |completed| {
        // How long the file will be, nobody knows before.
        let layer = Some(Layer { digest: weights.digest.to_string(), total, completed });
        drop(lines.send(Progress { status: status.clone(), layer }));
    };
    tell(0);
    models.runtime.quantize(&weights.path, file.path(), to, tell).await.map_err(|error| Refusal::internal(&error))?;
    let made = models.on_store(move |store| store.take_made(file)).await??;
    Ok(new.with_weights(&weights.digest, made))
}

fn understood(asked: Create) -> Result<(ModelName, NewModel, Option<Quantization>), Refusal> {
    let given = |name: &&&str| asked.more.get(**name).is_some_and(|value| !is_nothing(value));
    if let Some(name) = NOT_HERE.iter().find(given) {
        return Err(Refusal::invalid(format!("`{name}` is not supported here")));
    }
    let pack = asked.quantize.or(asked.quantization).filter(|kind| !kind.is_empty());
    let pack = pack.map(|kind| kind.parse::<Quantization>()).transpose();
    let pack = pack.map_err(|error| Refusal::invalid(error.to_string()))?;
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
    Ok((name(&asked.named.model()?)?, new, pack))
}

/// Clients send what nobody has set, too.
fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Bool(true) | Value::Number(_) => false,
    }
}
