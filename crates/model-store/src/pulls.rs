//! Pulls that go on by themselves: whoever asked need not wait, and how they ended is kept until it has been seen.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use stoa_model::{Clock, PullId, Timestamp};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::registry::Events;
use crate::{ModelName, PullEvent, Registries, RegistryError};

/// Pulls that run at once.
const MAX_RUNNING: usize = 16;

/// Ended pulls that are kept; the oldest goes first.
const MAX_ENDED: usize = 32;

/// One pull, as it stands. Sizes are in bytes.
#[derive(Clone, Debug)]
pub struct Pull {
    pub id: PullId,
    pub name: ModelName,
    pub state: PullState,
    /// What it is at, in the words of Ollama.
    pub step: String,
    /// Of the whole model. Never goes back.
    pub completed_bytes: u64,
    /// 0 until the registry has said it.
    pub total_bytes: u64,
    pub started_at: Timestamp,
    pub ended_at: Option<Timestamp>,
}

#[derive(Clone, Debug)]
pub enum PullState {
    Running,
    Done,
    Cancelled,
    Failed(PullFailure),
}

/// Why a pull failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PullFailure {
    /// Stable, for programs.
    pub code: &'static str,
    pub detail: String,
    /// The private `host:port` that an administrator may allow, where that is what stands in the way.
    pub authority: Option<String>,
}

/// Why nothing was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PullRefusal {
    #[error("{MAX_RUNNING} models are being pulled already")]
    TooMany,
    #[error("there is no such pull")]
    NotFound,
    #[error("the pull is still running")]
    Running,
}

/// Looks at the store at once, so that a model is there as soon as its pull is told to be done.
pub type Refresh = Arc<dyn Fn() -> BoxFuture<'static, ()> + Send + Sync>;

/// All pulls of this process that somebody asked for in this way. Cheap to clone.
#[derive(Clone)]
pub struct Pulls {
    inner: Arc<Inner>,
}

struct Inner {
    registries: Registries,
    clock: Arc<dyn Clock>,
    tracker: TaskTracker,
    refresh: Refresh,
    entries: Mutex<Vec<Entry>>,
}

struct Entry {
    pull: Pull,
    cancel: CancellationToken,
}

impl Pulls {
    pub fn new(registries: Registries, clock: Arc<dyn Clock>, tracker: TaskTracker, refresh: Refresh) -> Self {
        Self { inner: Arc::new(Inner { registries, clock, tracker, refresh, entries: Mutex::default() }) }
    }

    /// Begins to pull a model, unless that is being done already; then it answers with the pull that runs. What is kept
    /// of an earlier pull of the same model goes. Must be called inside a tokio runtime.
    pub fn start(&self, name: &ModelName) -> Result<Pull, PullRefusal> {
        let mut entries = self.inner.entries();
        let same = |entry: &&Entry| entry.pull.name.is_same(name) && entry.is_running();
        if let Some(entry) = entries.iter().find(same) {
            return Ok(entry.pull.clone());
        }
        if entries.iter().filter(|entry| entry.is_running()).count() >= MAX_RUNNING {
            return Err(PullRefusal::TooMany);
        }
        entries.retain(|entry| !entry.pull.name.is_same(name));
        let now = self.inner.clock.now();
        let pull = Pull {
            id: PullId::generate(now),
            name: name.clone(),
            state: PullState::Running,
            step: PullEvent::PullingManifest.status(),
            completed_bytes: 0,
            total_bytes: 0,
            started_at: now,
            ended_at: None,
        };
        let cancel = CancellationToken::new();
        entries.push(Entry { pull: pull.clone(), cancel: cancel.clone() });
        drop(entries);
        let events = self.inner.registries.pull(name);
        self.inner.tracker.spawn(Arc::clone(&self.inner).follow(pull.id, events, cancel));
        Ok(pull)
    }

    /// All that run, and those that have ended and were not dismissed; the latest first.
    pub fn list(&self) -> Vec<Pull> {
        self.inner.entries().iter().rev().map(|entry| entry.pull.clone()).collect()
    }

    /// Stops a pull, unless somebody else waits for the same model. What it has brought is kept for the next. One that has
    /// ended stays as it is.
    pub fn cancel(&self, id: PullId) -> Result<Pull, PullRefusal> {
        let mut entries = self.inner.entries();
        let entry = entries.iter_mut().find(|entry| entry.pull.id == id).ok_or(PullRefusal::NotFound)?;
        entry.cancel.cancel();
        if entry.is_running() {
            entry.end(PullState::Cancelled, self.inner.clock.now());
        }
        Ok(entry.pull.clone())
    }

    /// Forgets a pull that has ended.
    pub fn dismiss(&self, id: PullId) -> Result<(), PullRefusal> {
        let mut entries = self.inner.entries();
        let place = entries.iter().position(|entry| entry.pull.id == id).ok_or(PullRefusal::NotFound)?;
        if entries.get(place).is_some_and(Entry::is_running) {
            return Err(PullRefusal::Running);
        }
        entries.remove(place);
        Ok(())
    }
}

impl Inner {
    fn entries(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn follow(self: Arc<Self>, id: PullId, mut events: Events<PullEvent>, cancel: CancellationToken) {
        loop {
            let event = tokio::select! {
                () = cancel.cancelled() => return,
                event = events.next() => event,
            };
            match event {
                Some(Ok(event)) => self.note(id, &event),
                Some(Err(error)) => return self.end(id, PullState::Failed(PullFailure::of(&error))),
                None => {
                    (self.refresh)().await;
                    return self.end(id, PullState::Done);
                }
            }
        }
    }

    fn note(&self, id: PullId, event: &PullEvent) {
        let mut entries = self.entries();
        let Some(entry) = entries.iter_mut().find(|entry| entry.pull.id == id && entry.is_running()) else { return };
        entry.pull.step = event.status();
        if let PullEvent::Pulling { model_total, model_completed, .. } = event {
            entry.pull.total_bytes = *model_total;
            entry.pull.completed_bytes = entry.pull.completed_bytes.max(*model_completed);
        }
    }

    fn end(&self, id: PullId, state: PullState) {
        let mut entries = self.entries();
        if let Some(entry) = entries.iter_mut().find(|entry| entry.pull.id == id && entry.is_running()) {
            entry.end(state, self.clock.now());
        }
        let mut surplus = entries.iter().filter(|entry| !entry.is_running()).count().saturating_sub(MAX_ENDED);
        entries.retain(|entry| {
            let goes = surplus > 0 && !entry.is_running();
            surplus -= usize::from(goes);
            !goes
        });
    }
}

impl Entry {
    const fn is_running(&self) -> bool {
        matches!(self.pull.state, PullState::Running)
    }

    fn end(&mut self, state: PullState, now: Timestamp) {
        self.pull.state = state;
        self.pull.ended_at = Some(now);
    }
}

impl PullFailure {
    fn of(error: &RegistryError) -> Self {
        Self {
            code: error.code(),
            detail: stoa_egress::describe(error),
            authority: error.refused_authority().map(str::to_owned),
        }
    }
}

impl std::fmt::Debug for Pulls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pulls").field("entries", &self.inner.entries().len()).finish_non_exhaustive()
    }
}
