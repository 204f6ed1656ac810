//! Answers on their way out: as events, or gathered into one.

use axum::body::Body;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::{Bytes, BytesMut};
use futures_util::{FutureExt as _, StreamExt as _, stream};
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use rand::Rng as _;
use stoa_model::completion::{CompletionError, CompletionEvent, CompletionStream, LocalEvent};
use stoa_providers::outward::{ApiError, Collector, EventEncoder};
use tokio::time::Instant;

/// Silence after which a stream says that it lives, for the proxies between.
const HEARTBEAT: std::time::Duration = std::time::Duration::from_secs(15);

pub(crate) async fn collect(mut events: CompletionStream) -> Result<Collector, CompletionError> {
    let mut answer = Collector::default();
    while let Some(event) = events.next().await {
        let event = event?;
        let over = matches!(event, CompletionEvent::Finish(_));
        answer.push(event);
        if over {
            return Ok(answer);
        }
    }
    Err(CompletionError::CutOff)
}

/// A stream on its way out. Dropping it, as when the client leaves, cancels the call.
struct Outgoing<E> {
    events: CompletionStream,
    encoder: E,
    progress: Progress,
}

#[derive(PartialEq)]
enum Progress {
    Beginning,
    Running,
    Over,
}

pub(crate) fn streamed(events: CompletionStream, encoder: impl EventEncoder + 'static) -> Response {
    let outgoing = Outgoing { events, encoder, progress: Progress::Beginning };
    let body = stream::unfold(outgoing, |mut outgoing| async move {
        let bytes = outgoing.next().await?;
        Some((Ok::<_, std::convert::Infallible>(bytes), outgoing))
    });
    let mut response = Response::new(Body::from_stream(body));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

impl<E: EventEncoder> Outgoing<E> {
    /// The next piece: everything that is ready, in one.
    async fn next(&mut self) -> Option<Bytes> {
        match self.progress {
            Progress::Over => return None,
            Progress::Beginning => {
                self.progress = Progress::Running;
                let mut out = BytesMut::new();
                self.encoder.begin(&mut out);
                return Some(out.freeze());
            }
            Progress::Running => {}
        }
        let mut out = BytesMut::new();
        let deadline = Instant::now() + HEARTBEAT;
        match tokio::time::timeout_at(deadline, self.events.next()).await {
            Ok(event) => self.write(&mut out, event),
            Err(_) => out.extend_from_slice(self.encoder.keep_alive()),
        }
        // What is there already goes along.
        while self.progress == Progress::Running && out.len() < 16 * 1024 {
            match self.events.next().now_or_never() {
                Some(event) => self.write(&mut out, event),
                None => break,
            }
        }
        Some(out.freeze())
    }

    fn write(&mut self, out: &mut BytesMut, event: Option<Result<CompletionEvent, CompletionError>>) {
        match event {
            // A comment: to be seen by whoever looks, and passed over by every client.
            Some(Ok(CompletionEvent::Local(LocalEvent::Queued { ahead }))) => {
                out.extend_from_slice(format!(": {ahead} before this in the queue\n\n").as_bytes());
            }
            Some(Ok(event)) => {
                if matches!(event, CompletionEvent::Finish(_)) {
                    self.progress = Progress::Over;
                }
                self.encoder.event(out, event);
            }
            Some(Err(error)) => self.fail(out, &error),
            None => self.fail(out, &CompletionError::CutOff),
        }
    }

    fn fail(&mut self, out: &mut BytesMut, error: &CompletionError) {
        self.encoder.fail(out, &ApiError::from(error));
        self.progress = Progress::Over;
    }
}

/// An id as OpenAI's begin.
pub(crate) fn answer_id(prefix: &str) -> String {
    let mut bytes = [0; 18];
    rand::rng().fill_bytes(&mut bytes);
    format!("{prefix}{}", URL_SAFE_NO_PAD.encode(bytes))
}
