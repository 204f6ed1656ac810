//! Who has something open, and word to them when they are no longer good.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use stoa_model::person::Role;
use stoa_model::{ApiKeyId, FunctionId, Principal, SessionId, Timestamp, UserId, Via};
use tokio::sync::{Notify, watch};

/// How long somebody whose standing cannot be read, for the database is away, stays good.
const GRACE: Duration = Duration::from_secs(15);

/// Why a principal is no longer good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The session or the key is gone or has run out, or its owner may not sign in.
    SignedOut,
    /// The owner's role is another one: what is open may show too much or too little.
    RightsChanged,
    /// For a while nobody could tell; trying again will.
    Unverifiable,
}

/// Resolves when the principal it was made for is no longer good. Clones share the answer.
#[derive(Clone, Debug)]
pub struct Revocation(watch::Receiver<Option<Ended>>);

impl Revocation {
    /// Waits until the principal is no longer good; for ever for the server itself.
    pub async fn revoked(&self) -> Ended {
        let mut ended = self.0.clone();
        match ended.wait_for(Option::is_some).await {
            Ok(ended) => ended.unwrap_or(Ended::Unverifiable),
            // The door is gone, and with it whoever could tell.
            Err(_) => Ended::Unverifiable,
        }
    }

    /// Whether word has come.
    pub fn is_revoked(&self) -> bool {
        self.0.borrow().is_some()
    }
}

/// A way in and the rights it was let in with. All streams of one browser are one of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Target {
    pub(crate) user: UserId,
    pub(crate) role: Role,
    pub(crate) by: By,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum By {
    Session(SessionId),
    ApiKey(ApiKeyId),
    Function(FunctionId),
}

/// What the database says of a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Good { expires_at: Option<Timestamp> },
    Ended(Ended),
}

#[derive(Debug)]
struct Entry {
    ended: watch::Sender<Option<Ended>>,
    expires_at: Option<Timestamp>,
    checked_at: Timestamp,
    /// Since when its standing could not be read.
    unknown_since: Option<Timestamp>,
}

/// The register of what is open. The feed's task works through `queue`.
#[derive(Debug, Default)]
pub(crate) struct Watched {
    state: Mutex<State>,
    pub(crate) wake: Notify,
    /// Keeps the receivers of principals that never end from ending.
    forever: OnceForever,
}

#[derive(Debug)]
struct OnceForever(watch::Sender<Option<Ended>>);

impl Default for OnceForever {
    fn default() -> Self {
        Self(watch::Sender::new(None))
    }
}

#[derive(Debug, Default)]
struct State {
    entries: HashMap<Target, Entry>,
    queue: VecDeque<Target>,
    queued: HashSet<Target>,
}

impl Watched {
    pub(crate) fn watch(&self, principal: &Principal, now: Timestamp) -> Revocation {
        let Principal::User { id, role, via, .. } = principal else {
            return Revocation(self.forever.0.subscribe());
        };
        let by = match via {
            Via::Session(id) => By::Session(*id),
            Via::ApiKey { id, .. } => By::ApiKey(*id),
            Via::Function { id, .. } => By::Function(*id),
        };
        let target = Target { user: *id, role: *role, by };
        let mut state = self.lock();
        let entry = state.entries.entry(target).or_insert_with(|| Entry {
            ended: watch::Sender::new(None),
            expires_at: None,
            checked_at: now,
            unknown_since: None,
        });
        let revocation = Revocation(entry.ended.subscribe());
        // Between being let in and being watched, things may have changed.
        state.ask(target, false);
        drop(state);
        self.wake.notify_one();
        revocation
    }

    /// Asks anew for everything open of `user`, before whatever else is waiting.
    pub(crate) fn changed(&self, user: UserId) {
        self.ask_first(|target| target.user == user);
    }

    /// Likewise for everything that a function has open.
    pub(crate) fn function_changed(&self, function: FunctionId) {
        self.ask_first(|target| target.by == By::Function(function));
    }

    fn ask_first(&self, changed: impl Fn(&Target) -> bool) {
        let mut state = self.lock();
        let targets: Vec<_> = state.entries.keys().filter(|target| changed(target)).copied().collect();
        for target in targets {
            state.ask(target, true);
        }
    }

    /// Asks anew for everything.
    pub(crate) fn all_changed(&self) {
        let mut state = self.lock();
        let targets: Vec<_> = state.entries.keys().copied().collect();
        for target in targets {
            state.ask(target, false);
        }
    }

    /// The next one whose standing is to be read.
    pub(crate) fn next(&self) -> Option<Target> {
        let mut state = self.lock();
        let target = state.queue.pop_front()?;
        state.queued.remove(&target);
        Some(target)
    }

    /// Takes down what was read of a target.
    pub(crate) fn settle(&self, target: Target, standing: Option<Standing>, now: Timestamp) {
        let mut state = self.lock();
        let Some(entry) = state.entries.get_mut(&target) else { return };
        let ended = match standing {
            Some(Standing::Good { expires_at }) => {
                entry.expires_at = expires_at;
                entry.checked_at = now;
                entry.unknown_since = None;
                return;
            }
            Some(Standing::Ended(ended)) => ended,
            None => {
                let since = *entry.unknown_since.get_or_insert(now);
                if now.since(since) < GRACE {
                    return;
                }
                Ended::Unverifiable
            }
        };
        entry.ended.send_replace(Some(ended));
        state.entries.remove(&target);
    }

    /// Forgets those who left, and asks anew for those who have run out, whose standing is unknown, or who have not
    /// been looked at for `at_most`.
    pub(crate) fn sweep(&self, now: Timestamp, at_most: Duration) {
        let mut state = self.lock();
        state.entries.retain(|_, entry| entry.ended.receiver_count() > 0);
        let due = |entry: &Entry| {
            entry.unknown_since.is_some()
                || entry.expires_at.is_some_and(|at| at <= now)
                || now.since(entry.checked_at) >= at_most
        };
        let targets: Vec<_> = state.entries.iter().filter(|(_, entry)| due(entry)).map(|(target, _)| *target).collect();
        for target in targets {
            state.ask(target, false);
        }
    }

    #[cfg(test)]
    pub(crate) fn count(&self) -> usize {
        self.lock().entries.len()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn ask(&mut self, target: Target, first: bool) {
        if !self.queued.insert(target) {
            if !first {
                return;
            }
            self.queue.retain(|queued| *queued != target);
        }
        if first {
            self.queue.push_front(target);
        } else {
            self.queue.push_back(target);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_767_225_600_000);

    fn person() -> Principal {
        let via = Via::Session(SessionId::generate(NOW));
        Principal::User { id: UserId::generate(NOW), role: Role::Member, epoch: 1, via }
    }

    #[test]
    fn streams_of_one_browser_are_one_entry_that_goes_when_they_have_gone() {
        let watched = Watched::default();
        let principal = person();
        let streams: Vec<_> = (0..3).map(|_| watched.watch(&principal, NOW)).collect();
        let _other = watched.watch(&person(), NOW);
        watched.sweep(NOW, GRACE);
        assert_eq!(watched.count(), 2);
        drop(streams);
        watched.sweep(NOW, GRACE);
        assert_eq!(watched.count(), 1);
    }

    #[test]
    fn a_change_of_one_is_read_before_everything_else() {
        let watched = Watched::default();
        let people: Vec<_> = (0..3).map(|_| person()).collect();
        let _streams: Vec<_> = people.iter().map(|person| watched.watch(person, NOW)).collect();
        watched.changed(people[2].user_id().unwrap());
        assert_eq!(watched.next().map(|target| target.user), people[2].user_id());
        let left = std::iter::from_fn(|| watched.next()).count();
        assert_eq!(left, 2, "and once only");
    }

    #[test]
    fn while_nobody_can_tell_a_stream_stays_for_a_while_only() {
        let watched = Watched::default();
        let stream = watched.watch(&person(), NOW);
        let target = watched.next().unwrap();
        watched.settle(target, None, NOW);
        watched.settle(target, None, NOW.plus(GRACE).minus(Duration::from_millis(1)));
        assert!(!stream.is_revoked());
        watched.settle(target, Some(Standing::Good { expires_at: None }), NOW.plus(GRACE));
        watched.settle(target, None, NOW.plus(2 * GRACE));
        assert!(!stream.is_revoked());
        watched.settle(target, None, NOW.plus(3 * GRACE));
        assert!(stream.is_revoked());
    }
}
