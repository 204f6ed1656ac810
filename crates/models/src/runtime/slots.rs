//! How many models may be loaded at once, and who makes room.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Whoever waits longer than this for room gets it from a lane that is busy, once that has finished an answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// How often room is asked for again.
const RETRY: Duration = Duration::from_millis(100);

#[derive(Debug)]
pub(super) struct Slots {
    free: Arc<Semaphore>,
    impatient: AtomicUsize,
}

impl Slots {
    pub(super) fn new(slots: usize) -> Self {
        Self { free: Arc::new(Semaphore::new(slots.max(1))), impatient: AtomicUsize::new(0) }
    }

    /// Waits for room. `evict` is called again and again to ask an idle lane to leave.
    pub(super) async fn acquire(&self, evict: impl Fn()) -> Option<OwnedSemaphorePermit> {
        let waiting = Arc::clone(&self.free).acquire_owned();
        tokio::pin!(waiting);
        let mut waited = Duration::ZERO;
        let mut impatience = None;
        loop {
            if let Ok(permit) = tokio::time::timeout(RETRY, &mut waiting).await {
                return permit.ok();
            }
            evict();
            waited += RETRY;
            if waited >= PATIENCE && impatience.is_none() {
                impatience = Some(Impatience::new(&self.impatient));
            }
        }
    }

    /// Whether a lane that has just finished an answer should make room for another.
    pub(super) fn is_wanted(&self) -> bool {
        self.impatient.load(Ordering::Relaxed) > 0
    }
}

/// Counts somebody as impatient for as long as it lives.
struct Impatience<'slots>(&'slots AtomicUsize);

impl<'slots> Impatience<'slots> {
    fn new(counter: &'slots AtomicUsize) -> Self {
        counter.fetch_add(1, Ordering::Relaxed);
        Self(counter)
    }
}

impl Drop for Impatience<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
