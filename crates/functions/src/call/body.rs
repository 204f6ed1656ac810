//! The body of an answer, with an eye on the clock. What it holds is let go when it ends or is dropped.

use std::any::Any;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep};

use super::CallError;

pub struct Body {
    incoming: Incoming,
    silence: Duration,
    silent_until: Pin<Box<Sleep>>,
    until: Option<Pin<Box<Sleep>>>,
    give_back: Option<Box<dyn FnOnce() + Send>>,
    /// The place at the instance.
    held: Option<Box<dyn Any + Send>>,
}

impl Body {
    pub(super) fn new(
        incoming: Incoming,
        silence: Duration,
        until: Option<Instant>,
        give_back: impl FnOnce() + Send + 'static,
    ) -> Self {
        let until = until.map(|until| Box::pin(tokio::time::sleep_until(until)));
        let silent_until = Box::pin(tokio::time::sleep(silence));
        Self { incoming, silence, silent_until, until, give_back: Some(Box::new(give_back)), held: None }
    }

    /// Keeps something until the answer is over.
    pub(crate) fn hold(mut self, held: impl Any + Send) -> Self {
        self.held = Some(Box::new(held));
        self
    }

    fn end(&mut self) {
        if let Some(give_back) = self.give_back.take() {
            give_back();
        }
        self.held = None;
    }

    fn overdue(&mut self, context: &mut Context<'_>) -> Option<CallError> {
        if self.until.as_mut().is_some_and(|until| until.as_mut().poll(context).is_ready()) {
            return Some(CallError::TooLong);
        }
        self.silent_until.as_mut().poll(context).is_ready().then_some(CallError::Silence)
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Body").finish_non_exhaustive()
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = CallError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, CallError>>> {
        // Not only when nothing comes: a stream without an end has something always.
        if let Some(error) =
            self.until.as_mut().and_then(|until| until.as_mut().poll(context).is_ready().then_some(CallError::TooLong))
        {
            self.held = None;
            return Poll::Ready(Some(Err(error)));
        }
        match Pin::new(&mut self.incoming).poll_frame(context) {
            Poll::Ready(Some(Ok(frame))) => {
                let until = Instant::now() + self.silence;
                self.silent_until.as_mut().reset(until);
                if self.incoming.is_end_stream() {
                    self.end();
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => {
                self.held = None;
                Poll::Ready(Some(Err(CallError::Http(error))))
            }
            Poll::Ready(None) => {
                self.end();
                Poll::Ready(None)
            }
            Poll::Pending => match self.overdue(context) {
                Some(error) => {
                    self.held = None;
                    Poll::Ready(Some(Err(error)))
                }
                None => Poll::Pending,
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}
