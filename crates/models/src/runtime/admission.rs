//! Who may be loaded: a ledger of what loaded models take of the machine and of each device, and a line of those that wait
//! for room.

mod choice;
mod policy;

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use stoa_model::completion::CompletionError;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

use super::engines::{DeviceId, Engine, EngineDevice, Engines};
use super::lane::LaneShared;
use super::locked;
use super::options::RuntimeOptions;
use crate::memory::{InUse, Memory, MemoryBound};
use choice::choose;
use policy::{Held, Pool, Room, Verdict, decide};

pub(super) use choice::{Chosen, OnDevices, Wish};

/// Whoever waits longer than this for room gets it from a lane that is busy, once what runs there has come to its end.
const PATIENCE: Duration = Duration::from_secs(2);

/// How often room is looked for again when nobody has said that there is some.
const RETRY: Duration = Duration::from_millis(100);

/// What drivers said of their memory is believed for so long, unless a worker came or went meanwhile.
const DEVICES_AGE: Duration = Duration::from_secs(2);

pub(super) struct Admission {
    memory: Memory,
    bound_bytes: u64,
    device_bound: MemoryBound,
    places: usize,
    engines: Arc<Engines>,
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

#[derive(Clone)]
struct Entry {
    estimated_bytes: u64,
    process: Option<u32>,
    /// From then on, what the process takes counts, and not what was expected of it.
    loaded: bool,
    /// It has been asked to leave.
    leaving: bool,
    devices: HashMap<DeviceId, u64>,
}

impl Entry {
    fn bytes(&self, in_use: Option<InUse>) -> u64 {
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
    pub(super) fn new(options: &RuntimeOptions, engines: Arc<Engines>) -> Self {
        let memory = Memory::of_this_process();
        Self {
            bound_bytes: options.memory.bytes(memory.total_bytes()),
            device_bound: options.device_memory,
            memory,
            places: options.max_loaded.max(1),
            engines,
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

    /// What models may take of a device, and what they take.
    pub(super) fn of_device(&self, device: &EngineDevice) -> (u64, u64) {
        let held = locked(&self.ledger).held.values().filter_map(|entry| entry.devices.get(&device.id)).sum();
        (self.device_bound.bytes(Some(device.device.total_bytes)), held)
    }

    /// Waits, in turn, until there is room for a model. `idle` tells which others could leave for it.
    ///
    /// It never waits for a device: those that are busy there keep what they have, and it gets as many layers as fit beside
    /// them.
    pub(super) async fn acquire(
        self: &Arc<Self>,
        wish: Wish<'_>,
        idle: impl Fn() -> Vec<IdleModel>,
    ) -> Result<(Grant, Chosen), NoRoom> {
        let turn = Turn::take(self);
        let began = Instant::now();
        let mut impatience = None;
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if turn.has_come() {
                // Only for whoever may use them: drivers are slow to ask.
                let engines = if wish.most_layers > 0 { self.engines.look(DEVICES_AGE).await } else { Vec::new() };
                let (verdict, chosen) = self.consider(wish, &engines, &idle());
                match verdict {
                    Verdict::Load => return Ok((self.grant(&chosen), chosen)),
                    Verdict::Never { needed_bytes, room_bytes } => return Err(NoRoom { needed_bytes, room_bytes }),
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
    fn consider(&self, wish: Wish<'_>, engines: &[Engine], idle: &[IdleModel]) -> (Verdict, Chosen) {
        let mut entries: Vec<(u64, Entry)> =
            locked(&self.ledger).held.iter().map(|(number, entry)| (*number, entry.clone())).collect();
        entries.sort_unstable_by_key(|(number, _)| *number);
        let idle_model = |entry: &Entry| {
            idle.iter().find(|model| entry.process.is_some() && model.lane.worker_id() == entry.process)
        };
        // With or without what others would leave.
        let room = |device: &EngineDevice, left: bool| {
            let pool = self.pool(device, &entries);
            let stays = |entry: &Entry| !left || (!entry.leaving && idle_model(entry).is_none());
            let of = |entry: &Entry| entry.devices.get(&device.id).copied().unwrap_or(0);
            let all: u64 = entries.iter().map(|(_, entry)| of(entry)).sum();
            let stay: u64 = entries.iter().filter(|(_, entry)| stays(entry)).map(|(_, entry)| of(entry)).sum();
            pool.free_bytes.saturating_add(all - stay).min(pool.bound_bytes.saturating_sub(stay))
        };
        let mut chosen = choose(wish, engines, |device| room(device, false), self.bound_bytes);
        // Nobody leaves for a model that fares as well beside them.
        let after = choose(wish, engines, |device| room(device, true), self.bound_bytes);
        if after.fares() > chosen.fares() {
            chosen = after;
        }
        let used: Vec<&EngineDevice> =
            chosen.on_devices.iter().flat_map(|on| &on.shares).map(|(device, _)| device).collect();

        let mut machine =
            Pool { bound_bytes: self.bound_bytes, free_bytes: self.memory.available_bytes().unwrap_or(u64::MAX) };
        let mut held = Vec::with_capacity(entries.len());
        for (_, entry) in &entries {
            let in_use = entry.process.and_then(InUse::by);
            let bytes = entry.bytes(in_use);
            // Free, as the kernel sees it, is also what a loading worker has yet to take, and weights that it could read
            // again.
            let own_bytes = in_use.map_or(0, |in_use| in_use.own_bytes);
            machine.free_bytes = machine.free_bytes.saturating_sub(bytes.saturating_sub(own_bytes));
            let on_them = used.iter().map(|device| entry.devices.get(&device.id).copied().unwrap_or(0));
            let bytes = [bytes].into_iter().chain(on_them).collect();
            held.push(Held { bytes, idle_since: idle_model(entry).map(|model| model.since) });
        }
        let needed: Vec<u64> = [chosen.host_bytes]
            .into_iter()
            .chain(chosen.on_devices.iter().flat_map(|on| &on.shares).map(|(_, share)| share.bytes))
            .collect();
        let pools = [machine].into_iter().chain(used.iter().map(|device| self.pool(device, &entries))).collect();
        let (verdict, leaving) = decide(&needed, &Room { pools, places: self.places }, &held);
        for (number, entry) in leaving.into_iter().filter_map(|index| entries.get(index)) {
            if idle_model(entry).is_some_and(|model| model.lane.evict()) {
                self.evicted.fetch_add(1, Ordering::Relaxed);
            }
            if let Some(entry) = locked(&self.ledger).held.get_mut(number) {
                entry.leaving = true;
            }
        }
        (verdict, chosen)
    }

    fn pool(&self, device: &EngineDevice, entries: &[(u64, Entry)]) -> Pool {
        // Of what a worker is loading, the driver may not have seen anything yet.
        let promised = entries.iter().filter(|(_, entry)| !entry.loaded);
        let promised: u64 = promised.filter_map(|(_, entry)| entry.devices.get(&device.id)).sum();
        Pool {
            bound_bytes: self.device_bound.bytes(Some(device.device.total_bytes)),
            free_bytes: device.device.free_bytes.saturating_sub(promised),
        }
    }

    fn grant(self: &Arc<Self>, chosen: &Chosen) -> Grant {
        let mut ledger = locked(&self.ledger);
        let number = ledger.next_number();
        let entry = Entry {
            estimated_bytes: chosen.host_bytes,
            process: None,
            loaded: false,
            leaving: false,
            devices: chosen.device_bytes(),
        };
        ledger.held.insert(number, entry);
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

    /// What it takes of devices is as it tells from now on.
    pub(super) fn loaded(&self, devices: HashMap<DeviceId, u64>) {
        self.note(|entry| {
            entry.loaded = true;
            entry.devices = devices;
        });
        self.admission.engines.changed();
        self.admission.changed.notify_waiters();
    }

    /// It takes more or less of devices than before.
    pub(super) fn takes(&self, devices: HashMap<DeviceId, u64>) {
        self.note(|entry| entry.devices = devices);
        self.admission.engines.changed();
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
        self.admission.engines.changed();
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
