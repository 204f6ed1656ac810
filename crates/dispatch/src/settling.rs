//! The stream of a call: passes events on, measures, and settles exactly once however it ends.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use futures_core::Stream;
use stoa_model::completion::{CompletionError, CompletionEvent, CompletionStream, FinishReason, Usage};
use stoa_model::provider::Prices;
use stoa_storage::UsageRow;

use crate::budget::Reservation;
use crate::figures::Attempt;
use crate::{Dispatch, Receipt};

pub(crate) struct Settling {
    inner: CompletionStream,
    meter: Meter,
}

/// Measures a call from its beginning. Dropped in the middle of an attempt, it settles that as stopped.
pub(crate) struct Meter {
    dispatch: Dispatch,
    receipt: Option<Receipt>,
    reservation: Option<Box<dyn Reservation>>,
    begun: Instant,
    /// The row of the attempt that runs.
    attempt: Option<UsageRow>,
    prices: Option<Prices>,
    figures: Option<Attempt>,
}

impl Settling {
    pub(crate) fn new(inner: CompletionStream, meter: Meter) -> Self {
        Self { inner, meter }
    }
}

impl Stream for Settling {
    type Item = Result<CompletionEvent, CompletionError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut polled = self.inner.as_mut().poll_next(context);
        if let Poll::Ready(item) = &mut polled {
            if let Some(Ok(CompletionEvent::Usage(usage))) = item {
                self.meter.price(usage);
            }
            self.meter.observe(item.as_ref());
        }
        polled
    }
}

impl Meter {
    pub(crate) fn new(dispatch: Dispatch, receipt: Option<Receipt>, reservation: Box<dyn Reservation>) -> Self {
        Self {
            dispatch,
            receipt,
            reservation: Some(reservation),
            begun: Instant::now(),
            attempt: None,
            prices: None,
            figures: None,
        }
    }

    /// An upstream is asked.
    pub(crate) fn begin(&mut self, row: UsageRow, prices: Option<Prices>) {
        self.prices = prices;
        self.figures = Some(self.dispatch.shared.figures.attempt(&row.model));
        self.attempt = Some(row);
    }

    /// The upstream did not take the call. What was reserved is for the next one.
    pub(crate) fn refused(&mut self, error: &CompletionError) {
        if let Some(row) = self.attempt.take() {
            self.record(row, error.code());
        }
    }

    /// What was asked for is there, all at once.
    pub(crate) fn computed(&mut self, mut usage: Usage) {
        self.price(&mut usage);
        if let Some(row) = &mut self.attempt {
            row.usage = usage;
        }
        self.settle(FinishReason::Stop.as_str());
    }

    fn price(&self, usage: &mut Usage) {
        usage.cost = self.prices.map(|prices| prices.cost(usage));
    }

    fn observe(&mut self, item: Option<&Result<CompletionEvent, CompletionError>>) {
        match item {
            Some(Ok(CompletionEvent::Delta { .. } | CompletionEvent::ToolCall(_))) => {
                if let Some(figures) = &mut self.figures {
                    figures.token();
                }
                if let Some(row) = self.attempt.as_mut().filter(|row| row.timings.first_token_ms == 0) {
                    row.timings.first_token_ms = millis_since(self.begun).max(1);
                }
            }
            Some(Ok(CompletionEvent::Local(_))) => {}
            Some(Ok(CompletionEvent::Usage(usage))) => {
                if let Some(row) = &mut self.attempt {
                    row.usage = *usage;
                }
            }
            Some(Ok(CompletionEvent::Finish(reason))) => self.settle(reason.as_str()),
            Some(Err(error)) => self.settle(error.code()),
            None => self.settle("cut_off"),
        }
    }

    fn settle(&mut self, outcome: &str) {
        let Some(row) = self.attempt.take() else { return };
        if let Some(reservation) = self.reservation.take() {
            reservation.settle(&row.usage);
        }
        self.record(row, outcome);
    }

    fn record(&mut self, mut row: UsageRow, outcome: &str) {
        row.timings.total_ms = millis_since(self.begun);
        outcome.clone_into(&mut row.outcome);
        if let Some(figures) = self.figures.take() {
            figures.end(outcome, &row.usage);
        }
        self.dispatch.settle(row, self.receipt.as_ref());
    }
}

impl Drop for Meter {
    /// A call that is dropped before its end was cancelled.
    fn drop(&mut self) {
        self.settle("stopped");
    }
}

fn millis_since(begun: Instant) -> u64 {
    u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX)
}
