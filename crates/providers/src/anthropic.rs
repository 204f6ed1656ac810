//! Anthropic's Messages protocol towards a provider.
//!
//! Source of the protocol: <https://docs.anthropic.com/en/api/messages> and
//! <https://docs.anthropic.com/en/docs/build-with-claude/streaming>.

mod interpreter;
mod list;
mod message;
mod wire;

use http::header::{ACCEPT, CONTENT_TYPE, HeaderName, HeaderValue};
use stoa_egress::Request;
use stoa_model::completion::{CompletionError, CompletionRequest};

use crate::answer::{Interpret, Progress};
use crate::protocol::{Listed, Protocol, call_body};
use crate::provider::{JSON, STREAM, Settings};
use interpreter::Interpreter;
use wire::WireRequest;
pub(crate) use wire::{Thinking, thinking};

const KEY: HeaderName = HeaderName::from_static("x-api-key");
const VERSION: HeaderName = HeaderName::from_static("anthropic-version");
const THIS_VERSION: HeaderValue = HeaderValue::from_static("2023-06-01");
/// The most that a page of models may hold.
const PAGE: &str = "1000";

#[derive(Debug)]
pub(crate) struct Anthropic;

impl Anthropic {
    fn authorized(settings: &Settings, request: Request) -> Request {
        settings.with_key(request, KEY, "").header(VERSION, THIS_VERSION)
    }
}

impl Protocol for Anthropic {
    fn call(&self, settings: &Settings, request: &CompletionRequest) -> Result<Request, CompletionError> {
        let body = call_body(&WireRequest::new(request)?, request)?;
        let target = settings.base_url.join("messages")?;
        let request = Request::post(target, body).header(CONTENT_TYPE, JSON).header(ACCEPT, STREAM);
        Ok(Self::authorized(settings, request))
    }

    fn interpreter(&self, progress: Progress) -> Box<dyn Interpret> {
        Box::new(Interpreter::new(progress))
    }

    fn list(&self, settings: &Settings, page: Option<&str>) -> Result<Request, CompletionError> {
        let query = [("limit", PAGE), ("after_id", page.unwrap_or_default())];
        let query = if page.is_some() { &query[..] } else { &query[..1] };
        let request = Request::get(settings.base_url.join_with("models", query)?).header(ACCEPT, JSON);
        Ok(Self::authorized(settings, request))
    }

    fn read_list(&self, body: &[u8]) -> Result<Listed, CompletionError> {
        list::read(body)
    }
}
