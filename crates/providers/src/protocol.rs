//! What the protocols differ in: how a call is written, how its answer is read, and how models are listed.

use std::fmt;
use std::sync::Arc;

use stoa_egress::Request;
use stoa_model::clock::SystemClock;
use stoa_model::completion::{CompletionError, CompletionRequest};
use stoa_model::embedding::{Embedded, EmbeddingRequest};
use stoa_model::own::write_values;
use stoa_model::provider::{ProviderKind, ProviderModel};

use crate::answer::{Framing, Interpret, Progress};
use crate::anthropic::Anthropic;
use crate::azure::Azure;
use crate::bedrock::Bedrock;
use crate::gemini::Gemini;
use crate::ollama::Ollama;
use crate::openai::OpenAi;
use crate::provider::Settings;
use crate::responses::Responses;

pub(crate) trait Protocol: fmt::Debug + Send + Sync {
    /// The call of a model, with everything that authorizes it.
    fn call(&self, settings: &Settings, request: &CompletionRequest) -> Result<Request, CompletionError>;

    fn framing(&self) -> Framing {
        Framing::Events
    }

    fn interpreter(&self, progress: Progress) -> Box<dyn Interpret>;

    /// The question for the models, or for those behind `page`.
    fn list(&self, settings: &Settings, page: Option<&str>) -> Result<Request, CompletionError>;

    fn read_list(&self, body: &[u8]) -> Result<Listed, CompletionError>;

    /// The question for vectors, with everything that authorizes it.
    fn embed(&self, settings: &Settings, request: &EmbeddingRequest) -> Result<Request, CompletionError> {
        let (kind, model) = (settings.kind.as_str(), &request.model);
        let detail = format!("`{model}` makes no vectors: Stoa asks for none by the protocol `{kind}`");
        Err(CompletionError::Invalid { detail })
    }

    /// The answer to it, for so many texts.
    fn read_vectors(&self, _body: &[u8], _asked: usize) -> Result<Embedded, CompletionError> {
        Err(CompletionError::Protocol { detail: "vectors were not asked for".to_owned() })
    }
}

/// Models, and what the next page is asked by, if there is one.
#[derive(Debug)]
pub(crate) struct Listed {
    pub(crate) models: Vec<ProviderModel>,
    pub(crate) next: Option<String>,
}

pub(crate) fn of(kind: ProviderKind) -> Box<dyn Protocol> {
    match kind {
        ProviderKind::Openai => Box::new(OpenAi),
        ProviderKind::Responses => Box::new(Responses),
        ProviderKind::Azure => Box::new(Azure),
        ProviderKind::Anthropic => Box::new(Anthropic),
        ProviderKind::Bedrock => Box::new(Bedrock { clock: Arc::new(SystemClock) }),
        ProviderKind::Gemini => Box::new(Gemini),
        ProviderKind::Ollama => Box::new(Ollama),
    }
}

/// The body of a call. What is written is made of texts, numbers and JSON, and always serialises.
pub(crate) fn body(request: &impl serde::Serialize) -> Result<Vec<u8>, CompletionError> {
    serde_json::to_vec(request).map_err(|error| CompletionError::Invalid { detail: error.to_string() })
}

/// The body of the call of a model, with the parameters that only this model has at their places.
pub(crate) fn call_body(wire: &impl serde::Serialize, request: &CompletionRequest) -> Result<Vec<u8>, CompletionError> {
    let own = &request.parameters.own;
    if own.is_empty() {
        return body(wire);
    }
    let invalid = |detail: String| CompletionError::Invalid { detail };
    let mut written = serde_json::to_value(wire).map_err(|error| invalid(error.to_string()))?;
    write_values(&mut written, own).map_err(|fault| invalid(fault.to_string()))?;
    body(&written)
}

/// An answer that comes whole.
pub(crate) fn read_json<T: serde::de::DeserializeOwned>(body: &[u8]) -> Result<T, CompletionError> {
    serde_json::from_slice(body).map_err(|error| CompletionError::Protocol { detail: error.to_string() })
}

/// A choice that this protocol has no word for.
pub(crate) fn not_taken(what: &str, vendor: &str) -> CompletionError {
    CompletionError::Invalid { detail: format!("{vendor} takes no `{what}`: leave it out") }
}

/// Refuses the choices that only OpenAI's protocol and its likes have. A penalty of 0 chooses nothing.
pub(crate) fn refuse_unknown(request: &CompletionRequest, vendor: &str) -> Result<(), CompletionError> {
    refuse_penalties(request, vendor)?;
    if request.seed.is_some() { Err(not_taken("seed", vendor)) } else { Ok(()) }
}

pub(crate) fn refuse_penalties(request: &CompletionRequest, vendor: &str) -> Result<(), CompletionError> {
    let parameters = &request.parameters;
    for (name, value) in
        [("presence_penalty", parameters.presence_penalty), ("frequency_penalty", parameters.frequency_penalty)]
    {
        if value.is_some_and(|value| value != 0.0) {
            return Err(not_taken(name, vendor));
        }
    }
    Ok(())
}
