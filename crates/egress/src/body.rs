//! The body of an answer, held to its size and its times; dropping it early closes the request upstream.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::error::EgressError;
use crate::pool::Lease;
use crate::request::{Limits, moment};

/// How much and how long the end of an answer is read only to keep its connection.
const DRAIN_BYTES: u64 = 64 * 1024;
const DRAIN_WITHIN: Duration = Duration::from_secs(2);

/// A body that ends with an error rather than go on past its limits. After an error or the end it yields nothing more.
pub struct CappedBody {
    incoming: Incoming,
    /// Given back at the end; dropped before that, it cancels.
    lease: Option<Lease>,
    left: u64,
    limits: Limits,
    sent_at: Instant,
    deadline: Instant,
    last_frame: Instant,
    /// Wakes at the earlier of the two timers as they stood when it was set. A frame does not touch it: moving a timer
    /// for each token costs more than waking once an idle period to look.
    alarm: Pin<Box<Sleep>>,
}

impl CappedBody {
    pub(crate) fn new(
        incoming: Incoming,
        lease: Lease,
        limits: Limits,
        sent_at: Instant,
        deadline: Instant,
    ) -> Result<Self, EgressError> {
        if incoming.size_hint().lower() > limits.body_bytes {
            return Err(EgressError::TooLarge { limit: limits.body_bytes });
        }
        let now = Instant::now();
        let mut body = Self {
            incoming,
            lease: Some(lease),
            left: limits.body_bytes,
            limits,
            sent_at,
            deadline,
            last_frame: now,
            alarm: Box::pin(sleep_until(deadline.min(moment(now, limits.idle)))),
        };
        if body.incoming.is_end_stream() {
            body.finish();
        }
        Ok(body)
    }

    /// When the request had been handed to its connection; the head and the first event are counted from here.
    pub const fn sent_at(&self) -> Instant {
        self.sent_at
    }

    /// The whole rest of the body.
    pub async fn collect(mut self) -> Result<Bytes, EgressError> {
        let mut whole = BytesMut::new();
        while let Some(bytes) = self.chunk().await? {
            whole.extend_from_slice(&bytes);
        }
        Ok(whole.freeze())
    }

    /// The beginning of the body, at most `limit` bytes, for messages to people. What cannot be read is left out.
    pub async fn collect_some(mut self, limit: usize, within: Duration) -> Bytes {
        let mut some = BytesMut::new();
        let deadline = Instant::now() + within;
        while some.len() < limit {
            match tokio::time::timeout_at(deadline, self.chunk()).await {
                Ok(Ok(Some(bytes))) => some.extend_from_slice(&bytes[..bytes.len().min(limit - some.len())]),
                Ok(Ok(None) | Err(_)) | Err(_) => break,
            }
        }
        some.freeze()
    }

    /// Reads on to the end in the background, so that the connection can serve again: for an answer whose end mark has
    /// come, when only the framing is missing. What does not end soon is closed.
    pub fn drain(mut self) {
        let Some(tasks) = self.lease.as_ref().and_then(Lease::tasks) else { return };
        self.left = self.left.min(DRAIN_BYTES);
        tasks.spawn(async move {
            let _ = tokio::time::timeout(DRAIN_WITHIN, async { while let Ok(Some(_)) = self.chunk().await {} }).await;
        });
    }

    /// The next piece; `None` at the end.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, EgressError> {
        loop {
            match std::future::poll_fn(|context| Pin::new(&mut *self).poll_frame(context)).await {
                None => return Ok(None),
                Some(Err(error)) => return Err(error),
                Some(Ok(frame)) => {
                    if let Ok(bytes) = frame.into_data() {
                        return Ok(Some(bytes));
                    }
                }
            }
        }
    }

    fn finish(&mut self) {
        if let Some(lease) = self.lease.take() {
            lease.give_back();
        }
    }

    fn fail(&mut self, error: EgressError) -> Poll<Option<Result<Frame<Bytes>, EgressError>>> {
        self.lease = None;
        Poll::Ready(Some(Err(error)))
    }

    fn poll_alarm(&mut self, context: &mut Context<'_>) -> Option<EgressError> {
        while self.alarm.as_mut().poll(context).is_ready() {
            let now = Instant::now();
            if now >= self.deadline {
                return Some(EgressError::TotalTimedOut { after: self.limits.total });
            }
            let idle_until = moment(self.last_frame, self.limits.idle);
            if now >= idle_until {
                return Some(EgressError::IdleTimedOut { after: self.limits.idle });
            }
            self.alarm.as_mut().reset(idle_until.min(self.deadline));
        }
        None
    }
}

impl Body for CappedBody {
    type Data = Bytes;
    type Error = EgressError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, EgressError>>> {
        let this = &mut *self;
        if this.lease.is_none() {
            return Poll::Ready(None);
        }
        match Pin::new(&mut this.incoming).poll_frame(context) {
            Poll::Ready(Some(Ok(frame))) => {
                let bytes = frame.data_ref().map_or(0, |data| data.len() as u64);
                if bytes > this.left {
                    return this.fail(EgressError::TooLarge { limit: this.limits.body_bytes });
                }
                this.left -= bytes;
                let now = Instant::now();
                // An upstream that never pauses would never let the alarm below be looked at.
                if now >= this.deadline {
                    return this.fail(EgressError::TotalTimedOut { after: this.limits.total });
                }
                this.last_frame = now;
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => this.fail(EgressError::CutOff(error)),
            Poll::Ready(None) => {
                this.finish();
                Poll::Ready(None)
            }
            Poll::Pending => match this.poll_alarm(context) {
                Some(error) => this.fail(error),
                None => Poll::Pending,
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        self.lease.is_none() || self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

impl std::fmt::Debug for CappedBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CappedBody").field("bytes_left", &self.left).finish_non_exhaustive()
    }
}
