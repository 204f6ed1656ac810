//! The stream of a call: passes events on, measures, and settles exactly once however it ends.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use futures_core::Stream;
use stoa_model::completion::{CompletionError, CompletionEvent, CompletionStream, FinishReason};
use stoa_storage::UsageRow;

use crate::Dispatch;
use crate::budget::Reservation;

pub(crate) struct Settling {
    inner: CompletionStream,
    meter: Meter,
}

pub(crate) struct Meter {
    dispatch: Dispatch,
    row: UsageRow,
    reservation: Option<Box<dyn Reservation>>,
    begun: Instant,
    seen_token: bool,
}

impl Settling {
    pub(crate) fn new(inner: CompletionStream, meter: Meter) -> Self {
        Self { inner, meter }
    }
}

impl Stream for Settling {
    type Item = Result<CompletionEvent, CompletionError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let polled = self.inner.as_mut().poll_next(context);
        if let Poll::Ready(item) = &polled {
            self.meter.observe(item.as_ref());
        }
        polled
    }
}

impl Meter {
    pub(crate) fn new(dispatch: Dispatch, row: UsageRow, reservation: Box<dyn Reservation>, begun: Instant) -> Self {
        Self { dispatch, row, reservation: Some(reservation), begun, seen_token: false }
    }

    fn observe(&mut self, item: Option<&Result<CompletionEvent, CompletionError>>) {
        match item {
            Some(Ok(CompletionEvent::Delta { .. })) if !self.seen_token => {
                self.seen_token = true;
                self.row.timings.first_token_ms = self.elapsed_ms().max(1);
            }
            Some(Ok(CompletionEvent::Delta { .. } | CompletionEvent::Local(_))) => {}
            Some(Ok(CompletionEvent::Usage(usage))) => self.row.usage = *usage,
            Some(Ok(CompletionEvent::Finish(reason))) => self.settle(finish_word(*reason)),
            Some(Err(error)) => self.settle(error.code()),
            None => self.settle("cut_off"),
        }
    }

    fn settle(&mut self, outcome: &str) {
        let Some(reservation) = self.reservation.take() else { return };
        reservation.settle(&self.row.usage);
        self.row.timings.total_ms = self.elapsed_ms();
        outcome.clone_into(&mut self.row.outcome);
        self.dispatch.settle(self.row.clone());
    }

    fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

impl Drop for Meter {
    /// A call that is dropped before its end was cancelled.
    fn drop(&mut self) {
        self.settle("stopped");
    }
}

const fn finish_word(reason: FinishReason) -> &'static str {
    match reason {
        FinishReason::Stop => "stop",
        FinishReason::Length => "length",
        FinishReason::ContentFilter => "content_filter",
        FinishReason::ToolCalls => "tool_calls",
    }
}
