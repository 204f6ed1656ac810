//! OpenAI's models on Azure: the OpenAI protocol with Azure's addresses, versions and keys.
//!
//! Source: <https://learn.microsoft.com/en-us/azure/ai-services/openai/reference>. A model is the name of a deployment.

use http::header::{ACCEPT, CONTENT_TYPE, HeaderName};
use stoa_egress::{Request, Target};
use stoa_model::completion::{CompletionError, CompletionRequest};
use stoa_model::embedding::{Embedded, EmbeddingRequest};

use crate::answer::{Interpret, Progress};
use crate::openai::{OpenAi, WireEmbedding, WireRequest};
use crate::protocol::{Listed, Protocol, body, call_body};
use crate::provider::{JSON, STREAM, Settings};

const KEY: HeaderName = HeaderName::from_static("api-key");
const VERSION: &str = "api-version";
/// The newest that is meant to stay, where the base URL names none.
const THIS_VERSION: &str = "2024-10-21";

#[derive(Debug)]
pub(crate) struct Azure;

impl Protocol for Azure {
    fn call(&self, settings: &Settings, request: &CompletionRequest) -> Result<Request, CompletionError> {
        let body = call_body(&WireRequest::new(request, true), request)?;
        let target = deployed(settings, &request.model, "chat/completions")?;
        let request = Request::post(target, body).header(CONTENT_TYPE, JSON).header(ACCEPT, STREAM);
        Ok(settings.with_key(request, KEY, ""))
    }

    fn interpreter(&self, progress: Progress) -> Box<dyn Interpret> {
        OpenAi.interpreter(progress)
    }

    fn list(&self, _settings: &Settings, _page: Option<&str>) -> Result<Request, CompletionError> {
        // What it calls its models are those that one could deploy; those that are deployed it tells only to its own tools.
        let detail = "Azure does not tell which models are deployed: enter the names of your deployments by hand";
        Err(CompletionError::Invalid { detail: detail.to_owned() })
    }

    fn read_list(&self, body: &[u8]) -> Result<Listed, CompletionError> {
        OpenAi.read_list(body)
    }

    fn embed(&self, settings: &Settings, request: &EmbeddingRequest) -> Result<Request, CompletionError> {
        let target = deployed(settings, &request.model, "embeddings")?;
        let request = Request::post(target, body(&WireEmbedding::new(request))?);
        Ok(settings.with_key(request.header(CONTENT_TYPE, JSON).header(ACCEPT, JSON), KEY, ""))
    }

    fn read_vectors(&self, body: &[u8], asked: usize) -> Result<Embedded, CompletionError> {
        OpenAi.read_vectors(body, asked)
    }
}

/// An endpoint of a deployment, in the version that the base URL names or else in ours.
fn deployed(settings: &Settings, deployment: &str, endpoint: &str) -> Result<Target, CompletionError> {
    let named = settings.base_url.target().as_url().query_pairs().any(|(name, _)| name == VERSION);
    let version = [(VERSION, THIS_VERSION)];
    let place = format!("deployments/{deployment}/{endpoint}");
    settings.base_url.join_with(&place, if named { &[] } else { &version })
}
