//! A provider of models over HTTP: opens answers, lists models, and tries itself out.

mod base_url;
pub(crate) mod failure;
mod settings;

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use http::header::{CONTENT_ENCODING, HeaderName, HeaderValue, LOCATION};
use http::{Response, StatusCode};
use stoa_egress::{CappedBody, Egress, Host, Limits, Redirects, Request};
use stoa_model::UserId;
use stoa_model::completion::{
    AnswerForm, CompletionError, CompletionEvent, CompletionRequest, CompletionStream, LocalOptions, OpenFuture,
    Parameters, PromptMessage, Timers, Upstream,
};
use stoa_model::conversation::MessageRole;
use stoa_model::embedding::{EmbedFuture, Embedded, EmbeddingRequest};
use stoa_model::function::{CALLER_HEADER, DEPTH_HEADER, HOST_SUFFIX};
use stoa_model::provider::ProviderModel;
use tokio::time::Instant;

pub use base_url::{BaseUrl, BaseUrlError};
pub use settings::{ApiKey, InvalidApiKey, Settings, SettingsError};

use crate::answer::{AnswerStream, Progress, Reading};
use crate::models;
use crate::protocol::{self, Protocol};

/// The longest answer, in bytes on the wire.
const MAX_ANSWER_BYTES: u64 = 64 * 1024 * 1024;
const MAX_LIST_BYTES: u64 = 16 * 1024 * 1024;
/// More pages of models are not asked for.
const MAX_LIST_PAGES: usize = 20;
/// As much of an error page as is read for its message, and how long that may take.
const MAX_ERROR_BYTES: usize = 64 * 1024;
const ERROR_WITHIN: Duration = Duration::from_secs(5);
const LIST_WITHIN: Duration = Duration::from_secs(30);

pub(crate) const JSON: HeaderValue = HeaderValue::from_static("application/json");
/// What a call accepts: a stream, or a whole answer from a server that does not stream.
pub(crate) const STREAM: HeaderValue = HeaderValue::from_static("text/event-stream, application/json");

/// One provider. Connections are those of its [`Egress`].
#[derive(Debug)]
pub struct Provider {
    egress: Egress,
    settings: Settings,
    protocol: Box<dyn Protocol>,
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

impl Provider {
    pub fn new(egress: Egress, settings: Settings) -> Arc<Self> {
        let protocol = protocol::of(settings.kind);
        Arc::new(Self { egress, settings, protocol })
    }

    /// Asks for the model list, page by page, sorted by name.
    pub async fn list_models(&self) -> Result<Vec<ProviderModel>, CompletionError> {
        let limits = Limits {
            head: LIST_WITHIN,
            idle: LIST_WITHIN,
            total: LIST_WITHIN * 2,
            body_bytes: MAX_LIST_BYTES,
            redirects: Redirects::Safe(5),
            ..Limits::default()
        };
        let (mut models, mut page) = (Vec::new(), None);
        for _ in 0..MAX_LIST_PAGES {
            let request = self.protocol.list(&self.settings, page.as_deref())?;
            let answer = self.send(request, limits).await?;
            let answer = self.accepted(answer).await?;
            let body = answer.into_body().collect().await.map_err(|error| failure::of_egress(error, true))?;
            let listed = self.protocol.read_list(&body)?;
            models.extend(listed.models);
            if listed.next.is_none() {
                return Ok(models::sorted(models));
            }
            page = listed.next;
        }
        Err(CompletionError::Protocol { detail: format!("its model list has more than {MAX_LIST_PAGES} pages") })
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
            depth: 0,
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
        let outgoing = to_function(self.protocol.call(&self.settings, &request)?, request.tenant, request.depth);
        let limits = Limits {
            connect: timers.connect,
            head: timers.first_token,
            // Events are what counts, not bytes; the stream watches over them.
            idle: timers.total,
            total: timers.total,
            body_bytes: MAX_ANSWER_BYTES,
            redirects: Redirects::None,
        };
        let answer = self.send(outgoing, limits).await?;
        let answer = self.accepted(answer).await?;
        let secret = self.settings.secret().map(str::to_owned);
        let token = format!("{:016x}_", rand::random::<u64>());
        let progress = Progress::new(self.settings.think_tags, &token, secret);
        let reading = Reading::with(self.protocol.framing(), self.protocol.interpreter(progress));
        Ok(Box::pin(AnswerStream::new(answer.into_body(), reading, timers)))
    }

    async fn vectors(self: Arc<Self>, request: EmbeddingRequest) -> Result<Embedded, CompletionError> {
        let timers = request.timers;
        let outgoing = to_function(self.protocol.embed(&self.settings, &request)?, request.tenant, request.depth);
        let limits = Limits {
            connect: timers.connect,
            head: timers.first_token,
            idle: timers.idle,
            total: timers.total,
            body_bytes: MAX_ANSWER_BYTES,
            redirects: Redirects::None,
        };
        let answer = self.send(outgoing, limits).await?;
        let answer = self.accepted(answer).await?;
        let body = answer.into_body().collect().await.map_err(|error| failure::of_egress(error, true))?;
        self.protocol.read_vectors(&body, request.inputs.len())
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
        Err(failure::of_answer(head.status, &head.headers, &body, self.settings.secret()))
    }
}

/// Where a function is called as a model, this server says to itself who calls, and how deep that is. Nobody else is told.
fn to_function(request: Request, caller: Option<UserId>, depth: u8) -> Request {
    if !matches!(request.target().host(), Host::Name(name) if name.ends_with(HOST_SUFFIX)) {
        return request;
    }
    let request = request.header(HeaderName::from_static(DEPTH_HEADER), HeaderValue::from(u16::from(depth)));
    match caller.and_then(|user| HeaderValue::try_from(user.to_string()).ok()) {
        Some(user) => request.header(HeaderName::from_static(CALLER_HEADER), user),
        None => request,
    }
}

impl Upstream for Provider {
    fn open(self: Arc<Self>, request: CompletionRequest) -> OpenFuture<'static> {
        Box::pin(self.start(request))
    }

    fn embed(self: Arc<Self>, request: EmbeddingRequest) -> EmbedFuture<'static> {
        Box::pin(self.vectors(request))
    }
}
