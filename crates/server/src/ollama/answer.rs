//! What `/api/chat` and `/api/generate` have in common: a request laid over what its model sets, made into a call.

use serde::Deserialize;
use stoa_dispatch::Call;
use stoa_model::completion::{KeepAlive, LocalOptions, Parameters, PromptMessage, Timers};
use stoa_model::conversation::MessageRole;
use stoa_model::json::Json;
use stoa_model::provider::LOCAL_SLUG;
use stoa_model_store::store::ModelDetails;
use stoa_models::options::{self, Format, ModelOptions, Think};
use stoa_models::template::Capabilities;

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
    pub(super) details: ModelDetails,
    pub(super) keep_alive: Option<KeepAlive>,
    options: ModelOptions,
    logprobs: Option<u8>,
}

impl Common {
    pub(super) async fn prepare(&self, models: &LocalModelService) -> Result<Prepared, Refusal> {
        if self.model.is_empty() {
            return Err(Refusal::invalid("model is required"));
        }
        let details = find(models, &self.model).await?;
        let invalid = |error: &dyn std::fmt::Display| Refusal::invalid(error.to_string());
        let (asked, warnings) = ModelOptions::parse(&self.options).map_err(|error| invalid(&error))?;
        for warning in warnings {
            tracing::debug!(%warning, "an option of a request has no effect");
        }
        let own = Json::parse(&serde_json::Value::Object(details.parameters.clone()).to_string())
            .map_err(|error| Refusal::internal(&error))?;
        // What its makers wrote is not the caller's fault: what is wrong in it is left aside.
        let own = ModelOptions::parse(&own).map(|(own, _)| own).unwrap_or_default();
        if Format::parse(&self.format).map_err(|error| invalid(&error))?.is_some() {
            return Err(Refusal::invalid("`format` is not supported here yet"));
        }
        let think = Think::parse(&self.think).map_err(|error| invalid(&error))?;
        let thinks =
            details.model.gguf.chat_template.as_deref().is_some_and(|text| Capabilities::of_jinja(text).thinking);
        if think.is_some_and(Think::is_on) && !thinks {
            return Err(Refusal::invalid(format!("\"{}\" does not support thinking", self.model)));
        }
        let keep_alive = options::KeepAlive::parse(&self.keep_alive).map_err(|error| invalid(&error))?;
        let logprobs = match (self.logprobs, self.top_logprobs) {
            (_, Some(top)) if top > 20 => return Err(Refusal::invalid("top_logprobs must be between 0 and 20")),
            (Some(true), top) => Some(top.unwrap_or(0)),
            _ => None,
        };
        Ok(Prepared { details, keep_alive: keep_alive.map(keep), options: asked.over(&own), logprobs })
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

    /// The messages that every conversation with the model begins with, before those of the request.
    pub(super) fn begin(&self, has_system: bool) -> Result<Vec<PromptMessage>, Refusal> {
        let mut messages = Vec::new();
        if let Some(system) = self.details.system.as_ref().filter(|text| !has_system && !text.is_empty()) {
            messages.push(PromptMessage { role: MessageRole::System, text: system.clone() });
        }
        for message in &self.details.messages {
            messages.push(PromptMessage { role: role(&message.role)?, text: message.content.clone() });
        }
        Ok(messages)
    }

    pub(super) fn call(&self, messages: Vec<PromptMessage>, raw: Option<String>) -> Call {
        let sampling = &self.options.sampling;
        let bound = self.options.load.num_ctx.and_then(|tokens| i32::try_from(tokens).ok());
        // Below zero: as long as the model likes, but not past the context that was asked for.
        let longest = sampling.num_predict.filter(|tokens| *tokens > 0).or(bound);
        Call {
            model: format!("{LOCAL_SLUG}/{}", self.details.model.name),
            messages,
            parameters: Parameters {
                temperature: sampling.temperature.map(f64::from),
                top_p: sampling.top_p.map(f64::from),
                presence_penalty: sampling.presence_penalty.map(f64::from),
                frequency_penalty: sampling.frequency_penalty.map(f64::from),
                max_tokens: longest.and_then(|tokens| u32::try_from(tokens).ok()),
            },
            stop: sampling.stop.clone().unwrap_or_default(),
            seed: sampling.seed.filter(|seed| *seed >= 0).map(seed),
            timers: Timers::default(),
            local: LocalOptions {
                prompt: raw,
                top_k: sampling.top_k,
                min_p: sampling.min_p.map(f64::from),
                typical_p: sampling.typical_p.map(f64::from),
                repeat_penalty: sampling.repeat_penalty.map(f64::from),
                repeat_last_n: sampling.repeat_last_n,
                logprobs: self.logprobs,
                keep_alive: self.keep_alive,
            },
            generation: None,
            receipt: None,
        }
    }
}

/// The sampler takes 32 bits; larger seeds are folded, so that each still means one text.
fn seed(seed: i64) -> u32 {
    let bits = seed.cast_unsigned();
    u32::try_from((bits ^ (bits >> 32)) & u64::from(u32::MAX)).unwrap_or_default()
}

pub(super) fn role(text: &str) -> Result<MessageRole, Refusal> {
    MessageRole::parse(&text.to_lowercase())
        .ok_or_else(|| Refusal::invalid(format!("messages of the role {text:?} are not supported here")))
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
            runtime.unload(&prepared.details.model.digest);
            return Ok(("unload", std::time::Duration::ZERO));
        }
        let timings = runtime.load(prepared.details.model.name.to_string(), tenant, prepared.keep_alive).await?;
        Ok(("load", timings.loading))
    }
}
