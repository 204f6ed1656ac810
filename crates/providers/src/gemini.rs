//! Google's Gemini protocol towards a provider.
//!
//! Source of the protocol: <https://ai.google.dev/api/generate-content> and <https://ai.google.dev/api/models>.

mod embeddings;
mod interpreter;
mod list;
mod message;
mod wire;

use http::header::{ACCEPT, CONTENT_TYPE, HeaderName};
use stoa_egress::Request;
use stoa_model::completion::{CompletionError, CompletionRequest};
use stoa_model::embedding::{Embedded, EmbeddingRequest};

use crate::answer::{Interpret, Progress};
use crate::protocol::{Listed, Protocol, body, call_body};
use crate::provider::{JSON, STREAM, Settings};
use embeddings::WireEmbeddings;
use interpreter::Interpreter;
use wire::WireRequest;

const KEY: HeaderName = HeaderName::from_static("x-goog-api-key");
/// The most that a page of models may hold.
const PAGE: &str = "1000";

#[derive(Debug)]
pub(crate) struct Gemini;

impl Protocol for Gemini {
    fn call(&self, settings: &Settings, request: &CompletionRequest) -> Result<Request, CompletionError> {
        let body = call_body(&WireRequest::new(request)?, request)?;
        let place = place(&request.model);
        let target = settings.base_url.join_with(&format!("{place}:streamGenerateContent"), &[("alt", "sse")])?;
        let request = Request::post(target, body).header(CONTENT_TYPE, JSON).header(ACCEPT, STREAM);
        Ok(settings.with_key(request, KEY, ""))
    }

    fn interpreter(&self, progress: Progress) -> Box<dyn Interpret> {
        Box::new(Interpreter::new(progress))
    }

    fn list(&self, settings: &Settings, page: Option<&str>) -> Result<Request, CompletionError> {
        let query = [("pageSize", PAGE), ("pageToken", page.unwrap_or_default())];
        let query = if page.is_some() { &query[..] } else { &query[..1] };
        let request = Request::get(settings.base_url.join_with("models", query)?).header(ACCEPT, JSON);
        Ok(settings.with_key(request, KEY, ""))
    }

    fn read_list(&self, body: &[u8]) -> Result<Listed, CompletionError> {
        list::read(body)
    }

    fn embed(&self, settings: &Settings, request: &EmbeddingRequest) -> Result<Request, CompletionError> {
        let place = place(&request.model);
        let target = settings.base_url.join(&format!("{place}:batchEmbedContents"))?;
        let request = Request::post(target, body(&WireEmbeddings::new(&place, request))?);
        Ok(settings.with_key(request.header(CONTENT_TYPE, JSON).header(ACCEPT, JSON), KEY, ""))
    }

    fn read_vectors(&self, body: &[u8], asked: usize) -> Result<Embedded, CompletionError> {
        embeddings::read(body, asked)
    }
}

/// A name with a slash says of what kind it is: `tunedModels/mine`.
fn place(model: &str) -> String {
    if model.contains('/') { model.to_owned() } else { format!("models/{model}") }
}
