//! How long a worker that keeps failing is left alone.

use std::time::Duration;

use tokio::time::Instant;

/// From this many failures in a row, requests are refused at once instead of waiting for the next try.
const OPEN_AFTER: u32 = 3;

/// The most doublings; far beyond any cap.
const MAX_DOUBLINGS: u32 = 16;

#[derive(Debug)]
pub(super) struct Breaker {
    first: Duration,
    longest: Duration,
    failures: u32,
    /// When the worker may be tried again.
    retry_at: Option<Instant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Permit {
    Go,
    Wait(Duration),
    /// It has failed too often in a row; nobody waits for it.
    Open {
        retry_after: Duration,
    },
}

impl Breaker {
    pub(super) const fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, failures: 0, retry_at: None }
    }

    pub(super) const fn failures(&self) -> u32 {
        self.failures
    }

    pub(super) fn permit(&self, now: Instant) -> Permit {
        let pause = self.retry_at.map_or(Duration::ZERO, |at| at.saturating_duration_since(now));
        match pause {
            Duration::ZERO => Permit::Go,
            pause if self.failures < OPEN_AFTER => Permit::Wait(pause),
            retry_after => Permit::Open { retry_after },
        }
    }

    pub(super) fn failed(&mut self, now: Instant) {
        let doublings = self.failures.min(MAX_DOUBLINGS);
        let pause = self.first.saturating_mul(1 << doublings).min(self.longest);
        self.failures = self.failures.saturating_add(1);
        self.retry_at = Some(now + pause);
    }

    pub(super) fn succeeded(&mut self) {
        self.failures = 0;
        self.retry_at = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_doubles_up_to_its_cap_and_the_breaker_opens() {
        let mut breaker = Breaker::new(Duration::from_millis(250), Duration::from_secs(2));
        let now = Instant::now();
        assert_eq!(breaker.permit(now), Permit::Go);
        let mut permits = Vec::new();
        for _ in 0..6 {
            breaker.failed(now);
            permits.push(breaker.permit(now));
        }
        let open = |millis| Permit::Open { retry_after: Duration::from_millis(millis) };
        let wait = |millis| Permit::Wait(Duration::from_millis(millis));
        assert_eq!(permits, [wait(250), wait(500), open(1_000), open(2_000), open(2_000), open(2_000)]);
        assert_eq!(breaker.permit(now + Duration::from_secs(2)), Permit::Go);
        breaker.succeeded();
        assert_eq!(breaker.permit(now), Permit::Go);
        assert_eq!(breaker.failures(), 0);
    }
}
