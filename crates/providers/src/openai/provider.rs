//! A provider of models over HTTP: opens answers, lists models, and tries itself out.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HeaderValue, LOCATION};
use http::{Response, StatusCode};
use stoa_egress::{CappedBody, Egress, EgressError, Host, Limits, Redirects, Request, Target};
use stoa_model::completion::{
    AnswerForm, CompletionError, CompletionEvent, CompletionRequest, CompletionStream, LocalOptions, OpenFuture,
    Parameters, PromptMessage, Timers, Upstream,
};
use stoa_model::conversation::MessageRole;
use stoa_model::provider::ProviderModel;
use tokio::time::Instant;

use super::answer::Interpreter;
use super::base_url::BaseUrl;
use super::stream::AnswerStream;
use super::wire::WireRequest;
use super::{failure, list};

/// The longest answer, in bytes on the wire.
const MAX_ANSWER_BYTES: u64 = 64 * 1024 * 1024;
const MAX_LIST_BYTES: u64 = 16 * 1024 * 1024;
/// As much of an error page as is read for its message, and how long that may take.
const MAX_ERROR_BYTES: usize = 64 * 1024;
const ERROR_WITHIN: Duration = Duration::from_secs(5);
const LIST_WITHIN: Duration = Duration::from_secs(30);

/// A provider's key. It shows itself to nobody.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey(String);

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the API key holds a character that no key can have; copy it again, without quotes and line breaks")]
pub struct InvalidApiKey;

impl ApiKey {
    /// `None` when there is nothing but blanks: many servers of one's own want no key.
    pub fn parse(text: &str) -> Result<Option<Self>, InvalidApiKey> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(None);
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(InvalidApiKey);
        }
        Ok(Some(Self(text.to_owned())))
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(…)")
    }
}

#[derive(Clone, Debug)]
pub struct Settings {
    pub base_url: BaseUrl,
    pub api_key: Option<ApiKey>,
    /// Whether `<think>…</think>` at the beginning of an answer is reasoning.
    pub think_tags: bool,
}

/// One provider that speaks the OpenAI protocol. Connections are those of its [`Egress`].
#[derive(Debug)]
pub struct OpenAiProvider {
    egress: Egress,
    settings: Settings,
}

/// A successful check: `model` answered, its first event after `latency`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    pub model: String,
    pub latency: Duration,
}

/// A failed check: the real error, and the model that was tried, when it came that far.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the provider does not answer")]
pub struct CheckFailed {
    pub model: Option<String>,
    #[source]
    pub error: CompletionError,
}

impl OpenAiProvider {
    pub fn new(egress: Egress, settings: Settings) -> Arc<Self> {
        Arc::new(Self { egress, settings })
    }

    /// Asks for the model list.
    pub async fn list_models(&self) -> Result<Vec<ProviderModel>, CompletionError> {
        let request = self.authorized(Request::get(self.target("models")?)).header(ACCEPT, JSON);
        let limits = Limits {
            head: LIST_WITHIN,
            idle: LIST_WITHIN,
            total: LIST_WITHIN * 2,
            body_bytes: MAX_LIST_BYTES,
            redirects: Redirects::Safe(5),
            ..Limits::default()
        };
        let answer = self.send(request, limits).await?;
        let answer = self.accepted(answer).await?;
        let body = answer.into_body().collect().await.map_err(|error| failure::of_egress(error, true))?;
        list::read(&body)
    }

    /// Makes one real, tiny call and leaves as soon as the model begins to answer. Without `model`, the first of the list.
    pub async fn check(self: &Arc<Self>, model: Option<&str>, timers: Timers) -> Result<Checked, CheckFailed> {
        let model = match model {
            Some(model) => model.to_owned(),
            None => self.first_model().await.map_err(|error| CheckFailed { model: None, error })?,
        };
        let failed = |error| CheckFailed { model: Some(model.clone()), error };
        let request = CompletionRequest {
            model: model.clone(),
            messages: vec![PromptMessage::new(MessageRole::User, "Say OK.")],
            parameters: Parameters::default(),
            stop: Vec::new(),
            seed: None,
            form: AnswerForm::default(),
            tenant: None,
            timers,
            local: LocalOptions::default(),
        };
        let started = Instant::now();
        let mut answer = Arc::clone(self).open(request).await.map_err(failed)?;
        loop {
            match answer.next().await {
                Some(Ok(CompletionEvent::ToolCall(_) | CompletionEvent::Usage(_) | CompletionEvent::Local(_))) => {}
                Some(Ok(CompletionEvent::Delta { .. } | CompletionEvent::Finish(_))) => break,
                Some(Err(error)) => return Err(failed(error)),
                None => return Err(failed(CompletionError::CutOff)),
            }
        }
        Ok(Checked { latency: started.elapsed(), model })
    }

    async fn first_model(&self) -> Result<String, CompletionError> {
        let models = self.list_models().await?;
        let first = models.into_iter().next();
        first.map(|model| model.name).ok_or_else(|| CompletionError::Invalid {
            detail: "the provider lists no models; name one to check".to_owned(),
        })
    }

    async fn start(self: Arc<Self>, request: CompletionRequest) -> Result<CompletionStream, CompletionError> {
        let timers = request.timers;
        let body = serde_json::to_vec(&WireRequest::new(&request, self.is_openai()))
            .map_err(|error| CompletionError::Invalid { detail: error.to_string() })?;
        let outgoing = Request::post(self.target("chat/completions")?, body)
            .header(CONTENT_TYPE, JSON)
            .header(ACCEPT, HeaderValue::from_static("text/event-stream, application/json"));
        let limits = Limits {
            connect: timers.connect,
            head: timers.first_token,
            // Events are what counts, not bytes; the stream watches over them.
            idle: timers.total,
            total: timers.total,
            body_bytes: MAX_ANSWER_BYTES,
            redirects: Redirects::None,
        };
        let answer = self.send(self.authorized(outgoing), limits).await?;
        let answer = self.accepted(answer).await?;
        let secret = self.settings.api_key.as_ref().map(|key| key.0.clone());
        let interpreter = Interpreter::new(self.settings.think_tags, secret);
        Ok(Box::pin(AnswerStream::new(answer.into_body(), interpreter, timers)))
    }

    async fn send(&self, request: Request, limits: Limits) -> Result<Response<CappedBody>, CompletionError> {
        Box::pin(self.egress.send(request, limits)).await.map_err(|error| failure::of_egress(error, false))
    }

    /// Lets good answers pass and turns others into what they say.
    async fn accepted(&self, answer: Response<CappedBody>) -> Result<Response<CappedBody>, CompletionError> {
        let (head, body) = answer.into_parts();
        if head.status == StatusCode::OK {
            let encoding = head.headers.get(CONTENT_ENCODING).map(HeaderValue::as_bytes).unwrap_or_default();
            if encoding.is_empty() || encoding.eq_ignore_ascii_case(b"identity") {
                return Ok(Response::from_parts(head, body));
            }
            let encoding = String::from_utf8_lossy(encoding);
            let detail = format!("it is compressed ({}), which was not asked for", failure::shortened(&encoding));
            return Err(CompletionError::Protocol { detail });
        }
        if head.status.is_redirection() {
            let to = head.headers.get(LOCATION).and_then(|value| value.to_str().ok()).unwrap_or("nowhere");
            let detail =
                format!("it redirects to {}; put that into the base URL if it is right", failure::shortened(to));
            return Err(CompletionError::Refused { status: head.status.as_u16(), detail, retry_after: None });
        }
        let body = body.collect_some(MAX_ERROR_BYTES, ERROR_WITHIN).await;
        let secret = self.settings.api_key.as_ref().map(|key| key.0.as_str());
        Err(failure::of_answer(head.status, &head.headers, &body, secret))
    }

    fn authorized(&self, request: Request) -> Request {
        let Some(key) = &self.settings.api_key else { return request };
        match HeaderValue::from_str(&format!("Bearer {}", key.0)) {
            Ok(mut value) => {
                value.set_sensitive(true);
                request.header(AUTHORIZATION, value)
            }
            // `ApiKey::parse` lets only visible ASCII through.
            Err(_) => request,
        }
    }

    fn target(&self, endpoint: &str) -> Result<Target, CompletionError> {
        self.settings.base_url.join(endpoint).map_err(|error| failure::of_egress(EgressError::Target(error), false))
    }

    /// OpenAI's own service, which no longer knows `max_tokens`.
    fn is_openai(&self) -> bool {
        match self.settings.base_url.target().host() {
            Host::Name(name) => name == "api.openai.com" || name.ends_with(".openai.azure.com"),
            Host::Address(_) => false,
        }
    }
}

const JSON: HeaderValue = HeaderValue::from_static("application/json");

impl Upstream for OpenAiProvider {
    fn open(self: Arc<Self>, request: CompletionRequest) -> OpenFuture<'static> {
        Box::pin(self.start(request))
    }
}
