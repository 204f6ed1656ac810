//! Who may be loaded: a ledger of what loaded models take, and a line of those that wait for room.

mod policy;

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use stoa_model::completion::CompletionError;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

use super::lane::LaneShared;
use super::locked;
use crate::memory::{InUse, Memory, MemoryBound};
use policy::{Held, Room, Verdict, decide};

/// Whoever waits longer than this for room gets it from a lane that is busy, once what runs there has come to its end.
const PATIENCE: Duration = Duration::from_secs(2);

/// How often room is looked for again when nobody has said that there is some.
const RETRY: Duration = Duration::from_millis(100);

pub(super) struct Admission {
    memory: Memory,
    bound_bytes: u64,
    places: usize,
    ledger: Mutex<Ledger>,
    changed: Notify,
    impatient: AtomicUsize,
    evicted: AtomicU64,
}

#[derive(Default)]
struct Ledger {
    numbers: u64,
    /// Whoever waits, in the order in which they came.
    line: VecDeque<u64>,
    held: HashMap<u64, Entry>,
}

#[derive(Clone, Copy)]
struct Entry {
    estimated_bytes: u64,
    process: Option<u32>,
    /// From then on, what the process takes counts, and not what was expected of it.
    loaded: bool,
}

impl Entry {
    fn bytes(self, in_use: Option<InUse>) -> u64 {
        match in_use {
            Some(in_use) if self.loaded => in_use.bytes(),
            Some(in_use) => in_use.bytes().max(self.estimated_bytes),
            None => self.estimated_bytes,
        }
    }
}

/// A loaded model that nobody uses, and since when.
pub(super) struct IdleModel {
    lane: Arc<LaneShared>,
    since: Instant,
}

impl IdleModel {
    /// `None` when somebody uses it.
    pub(super) fn new(lane: Arc<LaneShared>) -> Option<Self> {
        let since = lane.idle_since()?;
        Some(Self { lane, since })
    }
}

/// A model does not fit even with all others unloaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NoRoom {
    needed_bytes: u64,
    room_bytes: u64,
}

impl NoRoom {
    pub(super) const fn completion_error(self) -> CompletionError {
        CompletionError::NoRoom { needed_bytes: self.needed_bytes, room_bytes: self.room_bytes }
    }
}

/// Room in the ledger, for as long as it is kept.
pub(super) struct Grant {
    admission: Arc<Admission>,
    number: u64,
}

impl Admission {
    pub(super) fn new(bound: MemoryBound, places: usize) -> Self {
        let memory = Memory::of_this_process();
        Self {
            bound_bytes: bound.bytes(memory.total_bytes()),
            memory,
            places: places.max(1),
            ledger: Mutex::default(),
            changed: Notify::new(),
            impatient: AtomicUsize::new(0),
            evicted: AtomicU64::new(0),
        }
    }

    /// What all models may take together.
    pub(super) const fn bound_bytes(&self) -> u64 {
        self.bound_bytes
    }

    /// Models that were unloaded to make room for others.
    pub(super) fn evicted(&self) -> u64 {
        self.evicted.load(Ordering::Relaxed)
    }

    /// Waits, in turn, until there is room for so much. `idle` tells which models could leave for it.
    pub(super) async fn acquire(
        self: &Arc<Self>,
        needed_bytes: u64,
        idle: impl Fn() -> Vec<IdleModel>,
    ) -> Result<Grant, NoRoom> {
        let turn = Turn::take(self);
        let began = Instant::now();
        let mut impatience = None;
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if turn.has_come() {
                match self.consider(needed_bytes, &idle()) {
                    Verdict::Load => return Ok(self.grant(needed_bytes)),
                    Verdict::Never { room_bytes } => return Err(NoRoom { needed_bytes, room_bytes }),
                    Verdict::Unload | Verdict::Wait => {}
                }
            }
            if impatience.is_none() && began.elapsed() >= PATIENCE {
                impatience = Some(Impatience::new(&self.impatient));
            }
            let _ = timeout(RETRY, changed).await;
        }
    }

    /// Whether a lane that has just come to the end of what it ran should make room for another.
    pub(super) fn is_wanted(&self) -> bool {
        self.impatient.load(Ordering::Relaxed) > 0
    }

    /// Only whoever is first in line asks this, so that nobody else takes the room meanwhile.
    fn consider(&self, needed_bytes: u64, idle: &[IdleModel]) -> Verdict {
        let entries: Vec<Entry> = locked(&self.ledger).held.values().copied().collect();
        let mut room = Room {
            bound_bytes: self.bound_bytes,
            free_bytes: self.memory.available_bytes().unwrap_or(u64::MAX),
            places: self.places,
        };
        let mut held = Vec::with_capacity(entries.len());
        for entry in entries {
            let in_use = entry.process.and_then(InUse::by);
            let bytes = entry.bytes(in_use);
            // Free, as the kernel sees it, is also what a loading worker has yet to take, and weights that it could read
            // again.
            let own_bytes = in_use.map_or(0, |in_use| in_use.own_bytes);
            room.free_bytes = room.free_bytes.saturating_sub(bytes - own_bytes);
            let model = idle.iter().find(|model| entry.process.is_some() && model.lane.worker_id() == entry.process);
            held.push((Held { bytes, idle_since: model.map(|model| model.since) }, model));
        }
        let sizes: Vec<Held> = held.iter().map(|(size, _)| *size).collect();
        let (verdict, leaving) = decide(needed_bytes, room, &sizes);
        for model in leaving.into_iter().filter_map(|index| held.get(index)?.1) {
            if model.lane.evict() {
                self.evicted.fetch_add(1, Ordering::Relaxed);
            }
        }
        verdict
    }

    fn grant(self: &Arc<Self>, estimated_bytes: u64) -> Grant {
        let mut ledger = locked(&self.ledger);
        let number = ledger.next_number();
        ledger.held.insert(number, Entry { estimated_bytes, process: None, loaded: false });
        Grant { admission: Arc::clone(self), number }
    }
}

impl Ledger {
    const fn next_number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }
}

impl Grant {
    pub(super) fn started(&self, process: Option<u32>) {
        self.note(|entry| entry.process = process);
    }

    pub(super) fn loaded(&self) {
        self.note(|entry| entry.loaded = true);
        self.admission.changed.notify_waiters();
    }

    fn note(&self, change: impl FnOnce(&mut Entry)) {
        if let Some(entry) = locked(&self.admission.ledger).held.get_mut(&self.number) {
            change(entry);
        }
    }
}

impl Drop for Grant {
    fn drop(&mut self) {
        locked(&self.admission.ledger).held.remove(&self.number);
        self.admission.changed.notify_waiters();
    }
}

/// A place in the line.
struct Turn<'admission> {
    admission: &'admission Admission,
    number: u64,
}

impl<'admission> Turn<'admission> {
    fn take(admission: &'admission Admission) -> Self {
        let mut ledger = locked(&admission.ledger);
        let number = ledger.next_number();
        ledger.line.push_back(number);
        Self { admission, number }
    }

    fn has_come(&self) -> bool {
        locked(&self.admission.ledger).line.front() == Some(&self.number)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        locked(&self.admission.ledger).line.retain(|number| *number != self.number);
        self.admission.changed.notify_waiters();
    }
}

/// Counts somebody as impatient for as long as it lives.
struct Impatience<'admission>(&'admission AtomicUsize);

impl<'admission> Impatience<'admission> {
    fn new(counter: &'admission AtomicUsize) -> Self {
        counter.fetch_add(1, Ordering::Relaxed);
        Self(counter)
    }
}

impl Drop for Impatience<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
