//! A request's body with caps on size and time, whose errors say which cap was met.

use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep};
use tokio_util::task::TaskTracker;

use crate::options::BodyLimits;

/// Why a request's body could not be read.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// The body is larger than allowed.
    #[error("the request's body is larger than {limit_bytes} bytes")]
    TooLarge {
        /// The cap, in bytes.
        limit_bytes: u64,
    },
    /// No piece of the body came for too long.
    #[error("nothing of the request's body came for {} seconds", after.as_secs_f32())]
    Stalled {
        /// The cap.
        after: Duration,
    },
    /// The whole body took too long.
    #[error("the request's body did not end within {} seconds", after.as_secs_f32())]
    TooSlow {
        /// The cap.
        after: Duration,
    },
    /// The connection broke, or the body's framing is wrong.
    #[error("the request's body broke off")]
    Broken(#[source] hyper::Error),
}

impl BodyError {
    /// The status that answers this error best (RFC 9110 §15.5).
    pub fn status(&self) -> StatusCode {
        match self {
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Stalled { .. } | Self::TooSlow { .. } => StatusCode::REQUEST_TIMEOUT,
            Self::Broken(_) => StatusCode::BAD_REQUEST,
        }
    }

    /// Looks for a body error behind an error of a framework (axum's `BytesRejection`, for one).
    pub fn find<'error>(error: &'error (dyn Error + 'static)) -> Option<&'error Self> {
        let mut next = Some(error);
        while let Some(current) = next {
            if let Some(found) = current.downcast_ref() {
                return Some(found);
            }
            next = current.source();
        }
        None
    }
}

/// A request's body under the listener's [`BodyLimits`].
#[derive(Debug)]
pub struct RequestBody {
    /// `None` once the body has ended or failed for good.
    inner: Option<Incoming>,
    limits: BodyLimits,
    received: u64,
    started: Option<Instant>,
    progress: Instant,
    timer: Option<Pin<Box<Sleep>>>,
    /// Where an unwanted rest is thrown away; absent if the client waits to be asked for its body.
    linger: Option<TaskTracker>,
}

impl RequestBody {
    pub(crate) fn new(inner: Incoming, limits: BodyLimits, linger: Option<TaskTracker>) -> Self {
        let inner = (!inner.is_end_stream()).then_some(inner);
        Self { inner, limits, received: 0, started: None, progress: Instant::now(), timer: None, linger }
    }

    /// The same body under other caps. To be chosen before it is read.
    #[must_use]
    pub fn with_limits(mut self, limits: BodyLimits) -> Self {
        self.limits = limits;
        self
    }

    fn too_large(&mut self) -> BodyError {
        self.throw_away();
        BodyError::TooLarge { limit_bytes: self.limits.max_bytes }
    }

    /// Hands what is left of the body to a task that reads and drops it within the linger caps.
    fn throw_away(&mut self) {
        let Some(inner) = self.inner.take() else { return };
        let Some(tracker) = self.linger.take() else { return };
        let limits = self.limits;
        tracker.spawn(async move {
            let _ = tokio::time::timeout(limits.linger_timeout, discard(inner, limits.linger_bytes)).await;
        });
    }

    /// The time cap that is met first, and when.
    fn deadline(&self) -> (Instant, BodyError) {
        let limits = self.limits;
        let stalled = self.progress + limits.stall_timeout;
        let total = self.started.unwrap_or(self.progress) + limits.total_timeout;
        if stalled < total {
            (stalled, BodyError::Stalled { after: limits.stall_timeout })
        } else {
            (total, BodyError::TooSlow { after: limits.total_timeout })
        }
    }

    fn poll_deadline(&mut self, cx: &mut Context<'_>) -> Poll<BodyError> {
        loop {
            let (at, error) = self.deadline();
            let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(at)));
            ready!(timer.as_mut().poll(cx));
            if Instant::now() >= at {
                return Poll::Ready(error);
            }
            // Pieces came since the timer was set; it is moved only now, not at every piece.
            timer.as_mut().reset(at);
        }
    }
}

async fn discard(mut body: Incoming, mut budget_bytes: u64) {
    while let Some(Ok(frame)) = body.frame().await {
        let length = frame.data_ref().map_or(0, |data| data.len() as u64);
        let Some(rest) = budget_bytes.checked_sub(length) else { return };
        budget_bytes = rest;
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        let Some(inner) = this.inner.as_mut() else { return Poll::Ready(None) };
        if this.started.is_none() {
            if inner.size_hint().lower() > this.limits.max_bytes {
                return Poll::Ready(Some(Err(this.too_large())));
            }
            let now = Instant::now();
            this.started = Some(now);
            this.progress = now;
        }
        match Pin::new(inner).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                this.progress = Instant::now();
                if let Some(data) = frame.data_ref() {
                    this.received += data.len() as u64;
                    if this.received > this.limits.max_bytes {
                        return Poll::Ready(Some(Err(this.too_large())));
                    }
                }
                // The stall cap alone would let a drip feed live for ever.
                let (at, error) = this.deadline();
                if this.progress >= at {
                    this.inner = None;
                    return Poll::Ready(Some(Err(error)));
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => {
                this.inner = None;
                Poll::Ready(Some(Err(BodyError::Broken(error))))
            }
            Poll::Ready(None) => {
                this.inner = None;
                Poll::Ready(None)
            }
            Poll::Pending => {
                let error = ready!(this.poll_deadline(cx));
                this.inner = None;
                Poll::Ready(Some(Err(error)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        self.throw_away();
    }
}
