//! Builds that have failed: however often somebody calls, each is tried again after a pause only, which grows.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use stoa_model::Timestamp;

const FIRST_PAUSE: Duration = Duration::from_secs(15);
const LONGEST_PAUSE: Duration = Duration::from_mins(15);
/// What was not tried again for as long begins anew.
const REMEMBERED: Duration = Duration::from_hours(1);

#[derive(Clone)]
pub(super) struct Failure<Reason> {
    pub(super) reason: Reason,
    failed_at: Timestamp,
    pause: Duration,
}

impl<Reason> Failure<Reason> {
    pub(super) fn again_at(&self) -> Timestamp {
        self.failed_at.plus(self.pause)
    }
}

/// By the keys of what was built, with why it failed.
pub(super) struct Failures<Reason>(Mutex<HashMap<String, Failure<Reason>>>);

impl<Reason: Clone> Failures<Reason> {
    pub(super) fn new() -> Self {
        Self(Mutex::default())
    }

    fn locked(&self) -> MutexGuard<'_, HashMap<String, Failure<Reason>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn note(&self, key: &str, reason: Reason, now: Timestamp) {
        let mut all = self.locked();
        all.retain(|_, failure| now.since(failure.failed_at) < REMEMBERED);
        let pause = all.get(key).map_or(FIRST_PAUSE, |before| (before.pause * 2).min(LONGEST_PAUSE));
        all.insert(key.to_owned(), Failure { reason, failed_at: now, pause });
    }

    /// Why a build is not tried now.
    pub(super) fn pausing(&self, key: &str, now: Timestamp) -> Option<Failure<Reason>> {
        self.locked().get(key).filter(|failure| now < failure.again_at()).cloned()
    }

    pub(super) fn forget(&self, key: &str) {
        self.locked().remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_767_225_600_000);

    #[test]
    fn the_pause_grows_to_a_quarter_of_an_hour_and_is_each_builds_own() {
        let failures = Failures::new();
        let fail = |key: &str, now| {
            failures.note(key, "why", now);
            failures.pausing(key, now).unwrap().again_at().since(now).as_secs()
        };
        let mut now = NOW;
        let mut pauses = Vec::new();
        for _ in 0..9 {
            let pause = fail("one", now);
            pauses.push(pause);
            let until = now.plus(Duration::from_secs(pause));
            assert!(failures.pausing("one", until.minus(Duration::from_millis(1))).is_some());
            assert!(failures.pausing("one", until).is_none());
            now = until;
        }
        assert_eq!(pauses, [15, 30, 60, 120, 240, 480, 900, 900, 900]);
        assert_eq!(fail("other", now), 15);
        failures.forget("one");
        assert!(failures.pausing("one", now).is_none());
        assert_eq!(fail("one", now), 15, "it has succeeded, or somebody wants it now");
        assert_eq!(fail("one", now.plus(REMEMBERED)), 15, "that was long ago");
    }
}
