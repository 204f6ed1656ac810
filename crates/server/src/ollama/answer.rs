//! What `/api/chat` and `/api/generate` have in common, made into a call.

use serde::Deserialize;
use stoa_dispatch::Call;
use stoa_model::completion::{AnswerForm, KeepAlive, LocalOptions, PromptMessage, Timers};
use stoa_model::format::Format;
use stoa_model::json::Json;
use stoa_model::provider::LOCAL_SLUG;
use stoa_model::think::Think;
use stoa_model::tools::Tools;
use stoa_model_store::store::ModelDetails;
use stoa_model_store::{Digest, ModelName};
use stoa_models::options::{self, ModelOptions, Settings};

use super::Ollama;
use super::error::Refusal;
use crate::local_models::LocalModelService;

/// Fields of both requests.
#[derive(Default, Deserialize)]
pub(super) struct Common {
    #[serde(default)]
    pub(super) model: String,
    #[serde(default)]
    pub(super) stream: Option<bool>,
    #[serde(default)]
    format: Json,
    #[serde(default)]
    keep_alive: Json,
    #[serde(default)]
    options: Json,
    #[serde(default)]
    think: Json,
    #[serde(default)]
    logprobs: Option<bool>,
    #[serde(default)]
    top_logprobs: Option<u8>,
}

/// A request whose model was found, and whose settings were understood.
pub(super) struct Prepared {
    pub(super) name: ModelName,
    pub(super) digest: Digest,
    pub(super) keep_alive: Option<KeepAlive>,
    settings: Settings,
    logprobs: Option<u8>,
    format: Option<Format>,
    think: Option<Think>,
}

impl Common {
    pub(super) async fn prepare(&self, models: &LocalModelService) -> Result<Prepared, Refusal> {
        if self.model.is_empty() {
            return Err(Refusal::invalid("model is required"));
        }
        let (model, _) = models.runtime.profile(self.model.clone()).await?;
        let invalid = |error: &dyn std::fmt::Display| Refusal::invalid(error.to_string());
        let (options, warnings) = ModelOptions::parse(&self.options).map_err(|error| invalid(&error))?;
        for warning in warnings {
            tracing::debug!(%warning, "an option of a request has no effect");
        }
        let keep_alive = options::KeepAlive::parse(&self.keep_alive).map_err(|error| invalid(&error))?;
        let logprobs = match (self.logprobs, self.top_logprobs) {
            (_, Some(top)) if top > 20 => return Err(Refusal::invalid("top_logprobs must be between 0 and 20")),
            (Some(true), top) => Some(top.unwrap_or(0)),
            _ => None,
        };
        Ok(Prepared {
            name: model.name,
            digest: model.digest,
            keep_alive: keep_alive.map(keep),
            settings: Settings::from(&options),
            logprobs,
            format: Format::parse(&self.format).map_err(|error| invalid(&error))?,
            think: Think::parse(&self.think).map_err(|error| invalid(&error))?,
        })
    }
}

/// A model of the store with all that belongs to it.
pub(super) async fn find(models: &LocalModelService, name: &str) -> Result<ModelDetails, Refusal> {
    let wanted = name.to_owned();
    Ok(models.on_store(move |store| store.details(&wanted)).await??)
}

pub(super) fn keep(keep_alive: options::KeepAlive) -> KeepAlive {
    match keep_alive {
        options::KeepAlive::Forever => KeepAlive::Forever,
        options::KeepAlive::For(duration) => KeepAlive::For(duration),
    }
}

impl Prepared {
    /// Whether the request asks for the model to go.
    pub(super) fn unloads(&self) -> bool {
        self.keep_alive == Some(KeepAlive::NOW)
    }

    pub(super) fn call(self, messages: Vec<PromptMessage>, tools: Tools) -> Call {
        let Settings { parameters, local, stop, seed } = self.settings;
        Call {
            model: format!("{LOCAL_SLUG}/{}", self.name),
            messages,
            parameters,
            stop,
            seed,
            form: AnswerForm { tools, format: self.format, think: self.think },
            timers: Timers::default(),
            local: LocalOptions { logprobs: self.logprobs, keep_alive: self.keep_alive, ..local },
            generation: None,
            receipt: None,
        }
    }
}

impl Ollama {
    /// Loads the model, or lets it go, for a request that asks for nothing else. Answers why the request is done.
    pub(super) async fn load_or_unload(
        &self,
        prepared: &Prepared,
        tenant: Option<stoa_model::UserId>,
    ) -> Result<(&'static str, std::time::Duration), Refusal> {
        let runtime = &self.models.runtime;
        if prepared.unloads() {
            runtime.unload(&prepared.digest);
            return Ok(("unload", std::time::Duration::ZERO));
        }
        let timings = runtime.load(prepared.name.to_string(), tenant, prepared.keep_alive).await?;
        Ok(("load", timings.loading))
    }
}
