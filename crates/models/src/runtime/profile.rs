//! What the models of the store bring beside their weights: read once, and known by their manifests.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use stoa_model::completion::{CompletionError, CompletionRequest, PromptMessage, PromptRole};
use stoa_model::json::Json;
use stoa_model::provider::Ability;
use stoa_model::think::Think;
use stoa_model_store::store::ModelDetails;
use stoa_model_store::{Digest, Store, StoreError, StoredModel};

use super::locked;
use crate::options::{ModelOptions, Settings};
use crate::protocol::{Layer, Prompt, Talk};
use crate::template::{Capabilities, PromptTemplate, TemplateSources};

/// More are forgotten: they can be read again.
const MOST_KNOWN: usize = 1_000;

/// What a model is like before anything is asked of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Profile {
    /// What its template can do.
    pub capabilities: Capabilities,
    /// Base models cannot: they have no template.
    pub can_chat: bool,
    /// It has an eye, and a way to be shown something: a template.
    pub sees: bool,
    template: Option<String>,
    system: Option<String>,
    /// What every conversation begins with.
    messages: Vec<PromptMessage>,
    settings: Settings,
    /// Layers that may be on devices, where its makers bound them.
    pub(super) device_layers: Option<u32>,
}

#[derive(Default)]
pub(super) struct Profiles {
    known: Mutex<HashMap<Digest, Arc<Profile>>>,
}

impl Profiles {
    /// Reads the disk for a model that is not known yet.
    pub(super) fn of(&self, store: &Store, model: &StoredModel) -> Result<Arc<Profile>, StoreError> {
        if let Some(profile) = locked(&self.known).get(&model.manifest_digest) {
            return Ok(Arc::clone(profile));
        }
        let profile = Arc::new(Profile::new(store.details(&model.name.to_string())?));
        let mut known = locked(&self.known);
        if known.len() >= MOST_KNOWN {
            known.clear();
        }
        known.insert(model.manifest_digest.clone(), Arc::clone(&profile));
        Ok(profile)
    }
}

impl Profile {
    /// What its makers wrote is not the caller's fault: what is wrong in it is left aside, and logged.
    fn new(details: ModelDetails) -> Self {
        let name = &details.model.name;
        let template = choose(details.model.gguf.chat_template.clone(), details.template.clone());
        if let Err(error) = &template {
            tracing::warn!(model = %name, %error, "the template of a model is of no use");
        }
        let parameters = Json::parse(&serde_json::Value::Object(details.parameters).to_string()).unwrap_or_default();
        let (settings, device_layers) = settings(&parameters)
            .inspect_err(|error| tracing::warn!(model = %name, %error, "the parameters of a model are of no use"))
            .unwrap_or_default();
        let messages = details
            .messages
            .into_iter()
            .filter_map(|message| Some(PromptMessage::new(PromptRole::parse(&message.role)?, message.content)));
        Self {
            // With a broken one, the worker says what is wrong with it.
            can_chat: !matches!(template, Ok(None)),
            sees: details.model.projector.is_some() && !matches!(template, Ok(None)),
            capabilities: template.ok().flatten().map(|template| template.capabilities()).unwrap_or_default(),
            template: details.template.filter(|template| !template.trim().is_empty()),
            system: details.system.filter(|system| !system.is_empty()),
            messages: messages.collect(),
            settings,
            device_layers,
        }
    }

    pub fn abilities(&self) -> Vec<Ability> {
        let Capabilities { tools, thinking, .. } = self.capabilities;
        [(thinking, Ability::Reasoning), (tools, Ability::Tools), (self.sees, Ability::Vision)]
            .into_iter()
            .filter_map(|(has, ability)| has.then_some(ability))
            .collect()
    }

    /// Lays what the model brings under what is asked of it, and refuses what it cannot do.
    pub(super) fn prompt(&self, name: &str, request: &mut CompletionRequest) -> Result<Prompt, CompletionError> {
        self.settings.lay_under(request);
        let invalid = |detail: String| CompletionError::Invalid { detail };
        if let Some(text) = request.local.prompt.take() {
            return Ok(Prompt::Raw { text });
        }
        let own = request.local.template.take();
        let capabilities = match &own {
            None => self.capabilities,
            Some(template) => {
                let template = choose(None, Some(template.clone())).map_err(|error| invalid(error.to_string()))?;
                template.map(|template| template.capabilities()).unwrap_or_default()
            }
        };
        let shows = request.messages.iter().any(|message| !message.images.is_empty());
        if shows && !self.sees {
            return Err(invalid(format!("\"{name}\" does not support images")));
        }
        if own.is_none() && !self.can_chat {
            return Err(invalid(format!("`{name}` cannot chat: it is a base model without a chat template")));
        }
        let refused = |what: &str| Err(invalid(format!("\"{name}\" does not support {what}")));
        let uses_tools =
            request.messages.iter().any(|message| message.role == PromptRole::Tool || !message.tool_calls.is_empty());
        if !capabilities.tools && (!request.form.tools.shown().is_empty() || uses_tools) {
            return refused("tools");
        }
        if !capabilities.thinking && request.form.think.is_some_and(Think::is_on) {
            return refused("thinking");
        }
        let suffix = request.local.suffix.take().unwrap_or_default();
        if !capabilities.insert && !suffix.is_empty() {
            return refused("insert");
        }
        let mut messages = Vec::with_capacity(self.messages.len() + request.messages.len() + 1);
        let is_system = |message: &PromptMessage| message.role == PromptRole::System;
        if let Some(system) = self.system.as_ref().filter(|_| !request.messages.iter().any(is_system)) {
            messages.push(PromptMessage::new(PromptRole::System, system.as_str()));
        }
        // What speaks to all of the conversation stays before all of it.
        let leading = request.messages.iter().take_while(|message| is_system(message)).count();
        messages.extend(request.messages.drain(..leading));
        messages.extend(self.messages.iter().cloned());
        messages.append(&mut request.messages);
        Ok(Prompt::Messages(Talk {
            messages,
            layer: own.map_or_else(|| self.template.clone().map_or(Layer::None, Layer::Beside), Layer::Instead),
            tools: request.form.tools.shown().to_vec(),
            think: request.form.think,
            suffix,
        }))
    }
}

fn choose(jinja: Option<String>, go: Option<String>) -> Result<Option<PromptTemplate>, crate::template::TemplateError> {
    PromptTemplate::choose(TemplateSources { jinja, go, ..TemplateSources::default() })
}

/// And how many layers may be on devices; less than none is as many as fit.
fn settings(parameters: &Json) -> Result<(Settings, Option<u32>), CompletionError> {
    let invalid = |error: &dyn std::fmt::Display| CompletionError::Invalid { detail: error.to_string() };
    let (options, _) = ModelOptions::parse(parameters).map_err(|error| invalid(&error))?;
    let settings = Settings::from(&options);
    settings.check().map_err(|error| invalid(&error))?;
    Ok((settings, options.load.num_gpu.and_then(|layers| u32::try_from(layers).ok())))
}
