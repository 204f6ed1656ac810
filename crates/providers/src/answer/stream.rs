//! An answer as it comes in, under the timers of the call.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_core::Stream;
use http_body::Body as _;
use stoa_egress::CappedBody;
use stoa_model::completion::{CompletionError, CompletionEvent, TimedStep, Timers};
use tokio::time::{Instant, Sleep, sleep_until};

use super::Reading;
use crate::provider::failure;

/// Behind the finish reason, usage and end mark have this long to come; then the answer counts as whole without them.
const TAIL: Duration = Duration::from_secs(5);
/// Pieces of the body looked at before others get their turn.
const PIECES_A_TURN: usize = 32;

pub(crate) struct AnswerStream {
    /// Gone when there is nothing more to read.
    body: Option<CappedBody>,
    reading: Reading,
    ready: VecDeque<CompletionEvent>,
    failure: Option<CompletionError>,
    timers: Timers,
    /// When the step that is waited for has taken too long.
    limit: Instant,
    seen_event: bool,
    /// Whether whoever reads this was told to wait when they last asked.
    waited: bool,
    /// Looks at `limit` when it rings; an event moves only the limit, which costs nothing.
    alarm: Pin<Box<Sleep>>,
}

impl AnswerStream {
    pub(crate) fn new(body: CappedBody, reading: Reading, timers: Timers) -> Self {
        let limit = body.sent_at() + timers.first_token.min(timers.total);
        Self {
            body: Some(body),
            reading,
            ready: VecDeque::new(),
            failure: None,
            timers,
            limit,
            seen_event: false,
            waited: false,
            alarm: Box::pin(sleep_until(limit)),
        }
    }

    fn take(&mut self, bytes: &[u8]) -> Result<(), CompletionError> {
        if self.reading.push(bytes, &mut self.ready)? {
            self.note_event();
        }
        Ok(())
    }

    fn note_event(&mut self) {
        self.seen_event = true;
        let wait = if self.reading.is_finishing() { self.timers.idle.min(TAIL) } else { self.timers.idle };
        self.limit = Instant::now() + wait.min(self.timers.total);
        if self.alarm.deadline() > self.limit {
            self.alarm.as_mut().reset(self.limit);
        }
    }

    /// The body has ended as it should not. An answer whose finish reason came is whole all the same.
    fn broken(&mut self, error: CompletionError) {
        if self.reading.is_finishing() {
            self.fail_with(|this| this.reading.close(&mut this.ready));
        } else {
            self.reading.abandon(&mut self.ready);
            self.failure = Some(error);
        }
    }

    fn fail_with(&mut self, step: impl FnOnce(&mut Self) -> Result<(), CompletionError>) {
        if let Err(error) = step(self) {
            self.failure = Some(error);
        }
    }

    fn poll_alarm(&mut self, context: &mut Context<'_>, waited: bool) -> Option<CompletionError> {
        while self.alarm.as_mut().poll(context).is_ready() {
            if let Some(error) = self.overdue() {
                if waited || !self.seen_event {
                    return Some(error);
                }
                // It was the reader who was away, not the upstream.
                self.limit = Instant::now() + self.timers.idle.min(self.timers.total);
            }
            self.alarm.as_mut().reset(self.limit);
        }
        None
    }

    fn overdue(&self) -> Option<CompletionError> {
        if Instant::now() < self.limit {
            return None;
        }
        let (step, after) = if self.seen_event {
            (TimedStep::NextToken, self.timers.idle)
        } else {
            (TimedStep::FirstToken, self.timers.first_token)
        };
        Some(CompletionError::TimedOut { step, after })
    }

    /// Reads on until there is something to hand out, or nothing more to come.
    fn poll_body(&mut self, context: &mut Context<'_>, waited: bool) -> Poll<()> {
        for _ in 0..PIECES_A_TURN {
            let Some(body) = &mut self.body else { return Poll::Ready(()) };
            match Pin::new(body).poll_frame(context) {
                Poll::Pending => {
                    let Some(error) = self.poll_alarm(context, waited) else { return Poll::Pending };
                    self.body = None;
                    self.broken(error);
                }
                Poll::Ready(None) => {
                    self.body = None;
                    self.fail_with(|this| this.reading.end(&mut this.ready));
                }
                Poll::Ready(Some(Err(error))) => {
                    self.body = None;
                    self.broken(failure::of_egress(error, true));
                }
                Poll::Ready(Some(Ok(frame))) => {
                    let bytes: Bytes = frame.into_data().unwrap_or_default();
                    self.fail_with(|this| this.take(&bytes));
                    // Bytes that make no event do not keep the call alive.
                    if self.failure.is_none()
                        && let Some(error) = self.overdue()
                    {
                        self.broken(error);
                    }
                }
            }
            if self.failure.is_some() {
                self.body = None;
            } else if self.reading.is_over()
                && let Some(body) = self.body.take()
            {
                body.drain();
            }
            if !self.ready.is_empty() || self.body.is_none() {
                return Poll::Ready(());
            }
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Stream for AnswerStream {
    type Item = Result<CompletionEvent, CompletionError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        let waited = std::mem::take(&mut this.waited);
        loop {
            if let Some(event) = this.ready.pop_front() {
                return Poll::Ready(Some(Ok(event)));
            }
            if let Some(error) = this.failure.take() {
                return Poll::Ready(Some(Err(error)));
            }
            if this.body.is_none() {
                return Poll::Ready(None);
            }
            if this.poll_body(context, waited).is_pending() {
                this.waited = true;
                return Poll::Pending;
            }
        }
    }
}
