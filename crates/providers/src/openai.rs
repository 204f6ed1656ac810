//! The OpenAI chat-completions protocol towards a provider, with the habits of the servers that speak it.
//!
//! Source of the protocol: <https://platform.openai.com/docs/api-reference/chat>. Variants understood: `reasoning_content`
//! (DeepSeek, vLLM, LM Studio, llama.cpp) and `reasoning` (OpenRouter, Ollama, Groq) beside the text, `<think>` within it,
//! content as a list of parts (Mistral), usage in the last chunk, in a choice (Moonshot) or in every chunk, errors in
//! mid-stream, comments as keep-alive (OpenRouter), whole JSON answers to a streaming request.

mod embeddings;
mod interpreter;
mod list;
mod usage;
mod wire;

use http::header::{ACCEPT, CONTENT_TYPE};
use stoa_egress::{Host, Request};
use stoa_model::completion::{CompletionError, CompletionRequest};
use stoa_model::embedding::{Embedded, EmbeddingRequest};
use stoa_model::provider::ProviderKind;

use crate::answer::{Interpret, Progress};
use crate::protocol::{Listed, Protocol, body, call_body};
use crate::provider::{JSON, STREAM, Settings};
use interpreter::Interpreter;

pub(crate) use embeddings::WireEmbedding;
pub(crate) use usage::usage;
pub(crate) use wire::{WireCall, WireRequest};

#[derive(Debug)]
pub(crate) struct OpenAi;

impl Protocol for OpenAi {
    fn call(&self, settings: &Settings, request: &CompletionRequest) -> Result<Request, CompletionError> {
        let body = call_body(&WireRequest::new(request, is_openai(settings)), request)?;
        let target = settings.base_url.join("chat/completions")?;
        let request = Request::post(target, body).header(CONTENT_TYPE, JSON).header(ACCEPT, STREAM);
        Ok(settings.bearer(request))
    }

    fn interpreter(&self, progress: Progress) -> Box<dyn Interpret> {
        Box::new(Interpreter::new(progress))
    }

    fn list(&self, settings: &Settings, _page: Option<&str>) -> Result<Request, CompletionError> {
        Ok(settings.bearer(Request::get(settings.base_url.join("models")?)).header(ACCEPT, JSON))
    }

    fn read_list(&self, body: &[u8]) -> Result<Listed, CompletionError> {
        Ok(Listed { models: list::read(body)?, next: None })
    }

    fn embed(&self, settings: &Settings, request: &EmbeddingRequest) -> Result<Request, CompletionError> {
        let target = settings.base_url.join("embeddings")?;
        let request = Request::post(target, body(&WireEmbedding::new(request))?);
        Ok(settings.bearer(request.header(CONTENT_TYPE, JSON).header(ACCEPT, JSON)))
    }

    fn read_vectors(&self, body: &[u8], asked: usize) -> Result<Embedded, CompletionError> {
        embeddings::read(body, asked)
    }
}

/// Where a base URL of this protocol leads, for programs that call it themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenAiEndpoints {
    pub chat: String,
    pub models: String,
}

pub fn openai_endpoints(base_url: &str) -> Result<OpenAiEndpoints, CompletionError> {
    let settings = keyless(base_url)?;
    let joined = |endpoint| settings.base_url.join(endpoint).map(|target| target.to_string());
    Ok(OpenAiEndpoints { chat: joined("chat/completions")?, models: joined("models")? })
}

/// The body of a streaming call, for a program that makes it itself.
pub fn openai_body(base_url: &str, request: &CompletionRequest) -> Result<String, CompletionError> {
    let written = call_body(&WireRequest::new(request, is_openai(&keyless(base_url)?)), request)?;
    String::from_utf8(written).map_err(|error| CompletionError::Invalid { detail: error.to_string() })
}

fn keyless(base_url: &str) -> Result<Settings, CompletionError> {
    Settings::parse(ProviderKind::Openai, base_url, "")
        .map_err(|error| CompletionError::Invalid { detail: error.to_string() })
}

/// OpenAI's own service, which no longer knows `max_tokens`.
fn is_openai(settings: &Settings) -> bool {
    match settings.base_url.target().host() {
        Host::Name(name) => name == "api.openai.com" || name.ends_with(".openai.azure.com"),
        Host::Address(_) => false,
    }
}
