//! Providers that could not be reached a moment ago: as long as others can answer in their place, nobody waits for them
//! again.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use stoa_model::completion::{CompletionError, TimedStep};
use stoa_model::{ProviderId, Timestamp};

/// How long one is left alone. Then the next call tries it, and waits for it if it must.
const REST: Duration = Duration::from_secs(30);

#[derive(Default)]
pub(crate) struct Rests {
    until: Mutex<HashMap<ProviderId, Timestamp>>,
}

impl Rests {
    pub(crate) fn rests(&self, provider: Option<ProviderId>, now: Timestamp) -> bool {
        provider.is_some_and(|id| self.lock().get(&id).is_some_and(|until| now < *until))
    }

    /// Notes how a call began. What a provider itself answers, a refusal too, says that it is there.
    pub(crate) fn note(&self, provider: Option<ProviderId>, fault: Option<&CompletionError>, now: Timestamp) {
        let Some(id) = provider else { return };
        let away = matches!(
            fault,
            Some(
                CompletionError::Unreachable { .. }
                    | CompletionError::TimedOut { step: TimedStep::Connection | TimedStep::FirstToken, .. }
            )
        );
        if away {
            self.lock().insert(id, now.plus(REST));
        } else {
            self.lock().remove(&id);
        }
    }

    /// Settings have changed, and perhaps for the better.
    pub(crate) fn forget_all(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ProviderId, Timestamp>> {
        self.until.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
