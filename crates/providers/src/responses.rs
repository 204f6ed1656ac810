//! OpenAI's Responses protocol towards a provider: its newest models tell their thoughts here only.
//!
//! Source of the protocol: <https://platform.openai.com/docs/api-reference/responses> and
//! <https://platform.openai.com/docs/api-reference/responses-streaming>.

mod input;
mod interpreter;
mod wire;

use http::header::{ACCEPT, CONTENT_TYPE};
use stoa_egress::Request;
use stoa_model::completion::{CompletionError, CompletionRequest};
use stoa_model::embedding::{Embedded, EmbeddingRequest};

use crate::answer::{Interpret, Progress};
use crate::openai::OpenAi;
use crate::protocol::{Listed, Protocol, call_body};
use crate::provider::{JSON, STREAM, Settings};
use interpreter::Interpreter;
use wire::WireRequest;

#[derive(Debug)]
pub(crate) struct Responses;

impl Protocol for Responses {
    fn call(&self, settings: &Settings, request: &CompletionRequest) -> Result<Request, CompletionError> {
        let body = call_body(&WireRequest::new(request)?, request)?;
        let target = settings.base_url.join("responses")?;
        let request = Request::post(target, body).header(CONTENT_TYPE, JSON).header(ACCEPT, STREAM);
        Ok(settings.bearer(request))
    }

    fn interpreter(&self, progress: Progress) -> Box<dyn Interpret> {
        Box::new(Interpreter::new(progress))
    }

    fn list(&self, settings: &Settings, page: Option<&str>) -> Result<Request, CompletionError> {
        OpenAi.list(settings, page)
    }

    fn read_list(&self, body: &[u8]) -> Result<Listed, CompletionError> {
        OpenAi.read_list(body)
    }

    fn embed(&self, settings: &Settings, request: &EmbeddingRequest) -> Result<Request, CompletionError> {
        OpenAi.embed(settings, request)
    }

    fn read_vectors(&self, body: &[u8], asked: usize) -> Result<Embedded, CompletionError> {
        OpenAi.read_vectors(body, asked)
    }
}
