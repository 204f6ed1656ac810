//! One HTTP request to an instance and its answer, within limits. Connections are kept for the next.

mod body;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Empty;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use crate::spec::Timeouts;
use crate::{Connection, Engine, EngineError, InstanceId, StopReason};

pub use body::Body;

/// What travels to a function.
pub type RequestBody = UnsyncBoxBody<Bytes, Box<dyn std::error::Error + Send + Sync>>;

/// Of the head of an answer.
const MAX_HEAD_BYTES: usize = 64 * 1024;
const MAX_HEADERS: usize = 100;

/// Servers close what is idle for some seconds, and a request that is on its way then is lost.
const KEPT_FOR: Duration = Duration::from_secs(3);

/// Connections of an instance that are kept.
const MOST_KEPT: usize = 64;

/// How long an answer may take. The whole of a stream has no limit by default.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub response: Duration,
    pub silence: Duration,
    pub total: Option<Duration>,
}

impl From<Timeouts> for Limits {
    fn from(timeouts: Timeouts) -> Self {
        Self {
            response: Duration::from_millis(timeouts.response_ms),
            silence: Duration::from_millis(timeouts.silence_ms),
            total: timeouts.total_ms.map(Duration::from_millis),
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum CallError {
    #[error("the function takes no connection")]
    Connect(#[from] EngineError),
    #[error("the function hung up, or what it answered is not HTTP")]
    Http(#[source] hyper::Error),
    #[error("the function did not begin to answer in time")]
    NoAnswer,
    #[error("the function was silent for too long in the middle of its answer")]
    Silence,
    #[error("the function's answer took longer than it may")]
    TooLong,
    /// By the engine, before it had answered.
    #[error("the function was ended: {0}")]
    Ended(StopReason),
}

/// A request that did not reach the function comes back, and can go elsewhere.
pub(crate) struct Failed {
    pub(crate) error: CallError,
    pub(crate) request: Option<Box<Request<RequestBody>>>,
}

/// The kept connections of one instance.
#[derive(Debug)]
pub struct Connections {
    instance: InstanceId,
    kept: Arc<Mutex<Vec<Kept>>>,
    tracker: TaskTracker,
}

#[derive(Debug)]
struct Kept {
    sender: SendRequest<RequestBody>,
    since: Instant,
}

impl Connections {
    pub fn new(instance: InstanceId, tracker: TaskTracker) -> Self {
        Self { instance, kept: Arc::default(), tracker }
    }

    /// Before it is frozen: what is kept would be stale afterwards.
    pub fn close(&self) {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Sends a request. The answer's body gives the connection back when it has been read to its end.
    pub(crate) async fn send(
        &self,
        engine: &dyn Engine,
        request: Request<RequestBody>,
        limits: Limits,
    ) -> Result<Response<Body>, Failed> {
        let began = Instant::now();
        let answered = tokio::time::timeout(limits.response, self.exchange(engine, request)).await;
        let (response, sender) = match answered {
            Ok(exchanged) => exchanged?,
            Err(_) => return Err(Failed { error: CallError::NoAnswer, request: None }),
        };
        let kept = Arc::clone(&self.kept);
        let give_back = move || {
            let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
            if !sender.is_closed() && kept.len() < MOST_KEPT {
                kept.push(Kept { sender, since: Instant::now() });
            }
        };
        let until = limits.total.map(|total| began + total);
        Ok(response.map(|incoming| Body::new(incoming, limits.silence, until, give_back)))
    }

    async fn exchange(
        &self,
        engine: &dyn Engine,
        mut request: Request<RequestBody>,
    ) -> Result<(Response<hyper::body::Incoming>, SendRequest<RequestBody>), Failed> {
        while let Some(mut sender) = self.take().await {
            match sender.try_send_request(request).await {
                Ok(response) => return Ok((response, sender)),
                Err(mut failed) => match failed.take_message() {
                    // It was closed as we took it.
                    Some(unsent) => request = unsent,
                    None => return Err(Failed { error: CallError::Http(failed.into_error()), request: None }),
                },
            }
        }
        let mut sender = match self.open(engine).await {
            Ok(sender) => sender,
            Err(error) => return Err(Failed { error, request: Some(Box::new(request)) }),
        };
        match sender.try_send_request(request).await {
            Ok(response) => Ok((response, sender)),
            Err(mut failed) => {
                let request = failed.take_message().map(Box::new);
                Err(Failed { error: CallError::Http(failed.into_error()), request })
            }
        }
    }

    /// One that is kept and good.
    async fn take(&self) -> Option<SendRequest<RequestBody>> {
        loop {
            let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner).pop()?;
            let mut sender = kept.sender;
            if kept.since.elapsed() < KEPT_FOR && !sender.is_closed() {
                // At once, or not at all: one whose last answer was not read to its end is never ready.
                let ready = tokio::time::timeout(Duration::from_millis(5), sender.ready()).await;
                if matches!(ready, Ok(Ok(()))) {
                    return Some(sender);
                }
            }
        }
    }

    async fn open(&self, engine: &dyn Engine) -> Result<SendRequest<RequestBody>, CallError> {
        let connection = engine.connect(&self.instance).await?;
        let (sender, driver) = Builder::new()
            .max_buf_size(MAX_HEAD_BYTES)
            .max_headers(MAX_HEADERS)
            .handshake(TokioIo::new(connection))
            .await
            .map_err(CallError::Http)?;
        self.tracker.spawn(async move {
            // Whoever waits for the answer is told the error.
            let _ = driver.with_upgrades().await;
        });
        Ok(sender)
    }
}

/// Asks for a path, on a connection of its own, and looks at the status alone.
pub async fn status_of(connection: impl Connection + 'static, path: &str) -> Result<StatusCode, hyper::Error> {
    let request = Request::get(path).header(http::header::HOST, "localhost").body(Empty::<Bytes>::new());
    let request = request.unwrap_or_default();
    let (mut sender, driver) = Builder::new()
        .max_buf_size(MAX_HEAD_BYTES)
        .max_headers(MAX_HEADERS)
        .handshake(TokioIo::new(connection))
        .await?;
    let asked = sender.send_request(request);
    tokio::pin!(asked);
    tokio::select! {
        biased;
        answer = &mut asked => Ok(answer?.status()),
        ended = driver => {
            ended?;
            Ok(asked.await?.status())
        }
    }
}
