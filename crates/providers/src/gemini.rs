//! Google's Gemini protocol towards a provider.
//!
//! Source of the protocol: <https://ai.google.dev/api/generate-content> and <https://ai.google.dev/api/models>.

mod interpreter;
mod list;
mod message;
mod wire;

use http::header::{ACCEPT, CONTENT_TYPE, HeaderName};
use stoa_egress::Request;
use stoa_model::completion::{CompletionError, CompletionRequest};

use crate::answer::{Interpret, Progress};
use crate::protocol::{Listed, Protocol, body};
use crate::provider::{JSON, STREAM, Settings};
use interpreter::Interpreter;
use wire::WireRequest;

const KEY: HeaderName = HeaderName::from_static("x-goog-api-key");
/// The most that a page of models may hold.
const PAGE: &str = "1000";

#[derive(Debug)]
pub(crate) struct Gemini;

impl Protocol for Gemini {
    fn call(&self, settings: &Settings, request: &CompletionRequest) -> Result<Request, CompletionError> {
        let body = body(&WireRequest::new(request)?)?;
        // A name with a slash says of what kind it is: `tunedModels/mine`.
        let model = &request.model;
        let place = if model.contains('/') { model.clone() } else { format!("models/{model}") };
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
}
