//! Who was let in a moment ago, so that most requests need no database. Bounded, and never ahead of the feed of changes.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use stoa_model::{Principal, Timestamp};
use stoa_storage::{Notice, Notices};
use tokio::sync::broadcast::error::TryRecvError;
use tokio::sync::broadcast::{self};

/// Entries in the younger half; the older half holds as many.
const HALF: usize = 8_192;
/// Even an entry that no notice has named is read again after this long, should a notice ever be lost.
const LASTS: Duration = Duration::from_secs(5);

/// The SHA-256 of what was presented.
pub(crate) type CacheKey = [u8; 32];

#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) principal: Principal,
    pub(crate) expires_at: Option<Timestamp>,
    pub(crate) read_at: Timestamp,
    /// When its use was last written down.
    pub(crate) noted_at: Option<Timestamp>,
}

/// How many changes the cache had heard of when a read began; what was read may be kept only if there were no more since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seen(Option<u64>);

#[derive(Debug)]
pub(crate) struct Cache {
    notices: Notices,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    feed: broadcast::Receiver<Notice>,
    changes: u64,
    /// New entries go to `young`; when it is full it becomes `old`, and what was old is forgotten.
    young: HashMap<CacheKey, Entry>,
    old: HashMap<CacheKey, Entry>,
}

impl Cache {
    pub(crate) fn new(notices: &Notices) -> Self {
        let state = State { feed: notices.subscribe(), changes: 0, young: HashMap::new(), old: HashMap::new() };
        Self { notices: notices.clone(), state: Mutex::new(state) }
    }

    /// What is known of `key`, after everything that the feed has said until now.
    pub(crate) fn get(&self, key: &CacheKey, now: Timestamp) -> Result<Entry, Seen> {
        let fresh = self.notices.fresh();
        let mut state = self.lock();
        state.catch_up();
        if !fresh {
            return Err(Seen(None));
        }
        let found = state.young.get(key).cloned().or_else(|| {
            let entry = state.old.remove(key)?;
            state.insert(*key, entry.clone());
            Some(entry)
        });
        found
            .filter(|entry| now.since(entry.read_at) < LASTS && entry.expires_at.is_none_or(|at| now < at))
            .ok_or(Seen(Some(state.changes)))
    }

    /// Keeps what was read, unless something changed while it was being read.
    pub(crate) fn put(&self, key: CacheKey, entry: Entry, seen: Seen) {
        let fresh = self.notices.fresh();
        let mut state = self.lock();
        state.catch_up();
        if fresh && seen.0 == Some(state.changes) {
            state.insert(key, entry);
        }
    }

    /// Notes that the use of `key` has been written down, so that the next request does not do it again.
    pub(crate) fn noted(&self, key: &CacheKey, now: Timestamp) {
        if let Some(entry) = self.lock().young.get_mut(key) {
            entry.noted_at = Some(now);
        }
    }

    /// Hears what the feed has said, without waiting for the next request.
    pub(crate) fn catch_up(&self) {
        self.lock().catch_up();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn catch_up(&mut self) {
        loop {
            match self.feed.try_recv() {
                Ok(Notice::Identity { user }) => self.forget(|principal| principal.user_id() == Some(user)),
                Ok(Notice::Function { function }) => {
                    self.forget(|principal| principal.function_id() == Some(function));
                }
                Ok(Notice::Resync) | Err(TryRecvError::Lagged(_)) => self.forget_all(),
                Ok(_) => {}
                Err(TryRecvError::Empty | TryRecvError::Closed) => return,
            }
        }
    }

    fn forget(&mut self, changed: impl Fn(&Principal) -> bool) {
        self.changes += 1;
        self.young.retain(|_, entry| !changed(&entry.principal));
        self.old.retain(|_, entry| !changed(&entry.principal));
    }

    fn forget_all(&mut self) {
        self.changes += 1;
        self.young.clear();
        self.old.clear();
    }

    fn insert(&mut self, key: CacheKey, entry: Entry) {
        if self.young.len() >= HALF {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, entry);
    }
}

#[cfg(test)]
mod tests {
    use stoa_model::person::Role;
    use stoa_model::{SessionId, UserId, Via};
    use stoa_storage::Engine;
    use stoa_storage::testing::TestDatabase;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_767_225_600_000);

    fn entry(user: UserId) -> Entry {
        let via = Via::Session(SessionId::generate(NOW));
        let principal = Principal::User { id: user, role: Role::Member, epoch: 1, via };
        Entry { principal, expires_at: None, read_at: NOW, noted_at: None }
    }

    fn key(n: usize) -> CacheKey {
        crate::token::sha256(&n.to_be_bytes())
    }

    #[tokio::test]
    async fn what_was_read_before_a_change_is_not_kept_after_it() {
        let test = TestDatabase::open(Engine::Sqlite).await;
        let notices = test.database.notices();
        let cache = Cache::new(notices);
        let user = UserId::generate(NOW);
        let seen = cache.get(&key(1), NOW).unwrap_err();
        notices.publish(Notice::Identity { user }).await;
        cache.put(key(1), entry(user), seen);
        let seen = cache.get(&key(1), NOW).unwrap_err();
        cache.put(key(1), entry(user), seen);
        assert!(cache.get(&key(1), NOW).is_ok());
        notices.publish(Notice::Settings).await;
        assert!(cache.get(&key(1), NOW).is_ok());
        notices.publish(Notice::Identity { user: UserId::generate(NOW) }).await;
        assert!(cache.get(&key(1), NOW).is_ok(), "somebody else has changed");
        notices.publish(Notice::Resync).await;
        assert!(cache.get(&key(1), NOW).is_err());
    }

    #[tokio::test]
    async fn entries_end_with_their_session_and_are_read_again_in_any_case() {
        let test = TestDatabase::open(Engine::Sqlite).await;
        let cache = Cache::new(test.database.notices());
        let seen = cache.get(&key(1), NOW).unwrap_err();
        let ends = NOW.plus(Duration::from_secs(1));
        cache.put(key(1), Entry { expires_at: Some(ends), ..entry(UserId::generate(NOW)) }, seen);
        cache.put(key(2), entry(UserId::generate(NOW)), seen);
        assert!(cache.get(&key(1), NOW).is_ok());
        assert!(cache.get(&key(1), ends).is_err());
        assert!(cache.get(&key(2), ends).is_ok());
        assert!(cache.get(&key(2), NOW.plus(LASTS)).is_err());
    }

    #[tokio::test]
    async fn memory_is_bounded_and_what_is_used_stays() {
        let test = TestDatabase::open(Engine::Sqlite).await;
        let cache = Cache::new(test.database.notices());
        let seen = cache.get(&key(0), NOW).unwrap_err();
        let user = UserId::generate(NOW);
        for n in 0..5 * HALF {
            cache.put(key(n), entry(user), seen);
            assert!(cache.get(&key(0), NOW).is_ok(), "{n}");
        }
        let state = cache.lock();
        assert!(state.young.len() <= HALF && state.old.len() <= HALF);
    }
}
