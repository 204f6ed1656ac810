//! Ollama's own protocol towards a provider: what its OpenAI doors leave out, such as how hard to think, is here.
//!
//! Source of the protocol: <https://github.com/ollama/ollama/blob/main/docs/api.md>.

mod embeddings;
mod interpreter;
mod list;
mod wire;

use http::header::{ACCEPT, CONTENT_TYPE, HeaderValue};
use stoa_egress::Request;
use stoa_model::completion::{CompletionError, CompletionRequest};
use stoa_model::embedding::{Embedded, EmbeddingRequest};

use crate::answer::{Framing, Interpret, Progress};
use crate::protocol::{Listed, Protocol, body, call_body};
use crate::provider::{JSON, Settings};
use embeddings::WireEmbedding;
use interpreter::Interpreter;
use wire::WireRequest;

const LINES: HeaderValue = HeaderValue::from_static("application/x-ndjson");

#[derive(Debug)]
pub(crate) struct Ollama;

impl Protocol for Ollama {
    fn call(&self, settings: &Settings, request: &CompletionRequest) -> Result<Request, CompletionError> {
        let body = call_body(&WireRequest::new(request)?, request)?;
        let request = Request::post(settings.base_url.join("chat")?, body);
        Ok(settings.bearer(request.header(CONTENT_TYPE, JSON).header(ACCEPT, LINES)))
    }

    fn framing(&self) -> Framing {
        Framing::Lines
    }

    fn interpreter(&self, progress: Progress) -> Box<dyn Interpret> {
        Box::new(Interpreter::new(progress))
    }

    fn list(&self, settings: &Settings, _page: Option<&str>) -> Result<Request, CompletionError> {
        Ok(settings.bearer(Request::get(settings.base_url.join("tags")?)).header(ACCEPT, JSON))
    }

    fn read_list(&self, body: &[u8]) -> Result<Listed, CompletionError> {
        Ok(Listed { models: list::read(body)?, next: None })
    }

    fn embed(&self, settings: &Settings, request: &EmbeddingRequest) -> Result<Request, CompletionError> {
        let request = Request::post(settings.base_url.join("embed")?, body(&WireEmbedding::new(request))?);
        Ok(settings.bearer(request.header(CONTENT_TYPE, JSON).header(ACCEPT, JSON)))
    }

    fn read_vectors(&self, body: &[u8], asked: usize) -> Result<Embedded, CompletionError> {
        embeddings::read(body, asked)
    }
}
