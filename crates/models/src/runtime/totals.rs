//! What has happened to all models since the start, whichever lanes are gone since.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Counts as they are told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RuntimeTotals {
    /// Models that were loaded, and how long that took altogether.
    pub loads: u64,
    pub loading: Duration,
    /// Workers that could not load, died or hung.
    pub failures: u64,
    /// Loads that were tried again with fewer layers on devices.
    pub fallbacks: u64,
    /// Workers that ended in order.
    pub unloads: u64,
    /// Requests that left the queue for a worker, and how long they had waited altogether.
    pub begun: u64,
    pub waiting: Duration,
}

#[derive(Debug, Default)]
pub(super) struct Totals {
    loads: AtomicU64,
    loading_us: AtomicU64,
    failures: AtomicU64,
    fallbacks: AtomicU64,
    unloads: AtomicU64,
    begun: AtomicU64,
    waiting_us: AtomicU64,
}

impl Totals {
    pub(super) fn loaded(&self, took: Duration) {
        self.loads.fetch_add(1, Ordering::Relaxed);
        add(&self.loading_us, took);
    }

    pub(super) fn failed(&self) {
        self.failures.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn fell_back(&self) {
        self.fallbacks.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn unloaded(&self) {
        self.unloads.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn begun(&self, waited: Duration) {
        self.begun.fetch_add(1, Ordering::Relaxed);
        add(&self.waiting_us, waited);
    }

    pub(super) fn read(&self) -> RuntimeTotals {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        RuntimeTotals {
            loads: count(&self.loads),
            loading: Duration::from_micros(count(&self.loading_us)),
            failures: count(&self.failures),
            fallbacks: count(&self.fallbacks),
            unloads: count(&self.unloads),
            begun: count(&self.begun),
            waiting: Duration::from_micros(count(&self.waiting_us)),
        }
    }
}

fn add(microseconds: &AtomicU64, duration: Duration) {
    microseconds.fetch_add(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
}
