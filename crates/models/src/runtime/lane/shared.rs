//! The part of a lane that others touch: its queue, and what is known of its worker.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use stoa_model::completion::{CompletionError, KeepAlive};
use stoa_model::{Clock, Timestamp, UserId};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::status::{DeviceShare, LaneState, LaneStatus, Latest};
use crate::memory::InUse;
use crate::protocol::Confinement;
use crate::runtime::job::Job;
use crate::runtime::options::RuntimeOptions;
use crate::runtime::process::WorkerFault;
use crate::runtime::queue::{FairQueue, Full};
use crate::runtime::{locked, round_up};
use stoa_model_store::StoredModel;

/// Whoever has asked within this time will likely ask again.
const STAY: Duration = Duration::from_mins(1);

/// Images that may wait with their requests for one model.
const MAX_WAITING_IMAGE_BYTES: usize = 256 * 1024 * 1024;

pub(in crate::runtime) struct LaneShared {
    pub(super) model: StoredModel,
    inner: Mutex<Inner>,
    pub(super) queued: Notify,
    pub(super) evicted: Notify,
}

struct Inner {
    queue: FairQueue<Option<UserId>, Job>,
    /// Who waits, or for whom, is another than when everybody was last told.
    moved: bool,
    /// When each of those who are there last asked.
    people: HashMap<Option<UserId>, Instant>,
    /// Those for whom the worker is at work.
    at_work: HashSet<Option<UserId>>,
    state: LaneState,
    idle_since: Instant,
    keep_alive: KeepAlive,
    /// Somebody wants the worker to end as soon as it has nothing to do.
    leaving: bool,
    worker: Option<Worker>,
    estimated_bytes: Option<u64>,
    fallback: Option<String>,
    context_window: u32,
    running: usize,
    served: u64,
    failures: u64,
    last_failure: Option<String>,
    /// How long an answer takes, as an average that forgets.
    average: Duration,
    waits: Latest,
    first_tokens: Latest,
}

#[derive(Clone)]
pub(super) struct Worker {
    pub(super) id: Option<u32>,
    pub(super) slots: u32,
    pub(super) context_tokens: Arc<AtomicU64>,
    pub(super) confinement: Option<Confinement>,
    pub(super) engine: Option<String>,
    pub(super) devices: Vec<DeviceShare>,
    pub(super) layers: u32,
}

impl LaneShared {
    pub(in crate::runtime) fn new(model: StoredModel, options: &RuntimeOptions) -> Self {
        let inner = Inner {
            queue: FairQueue::new(options.queue_per_user, options.queue_per_model),
            moved: false,
            people: HashMap::new(),
            at_work: HashSet::new(),
            state: LaneState::Cold,
            idle_since: Instant::now(),
            keep_alive: KeepAlive::For(options.keep_alive),
            leaving: false,
            worker: None,
            estimated_bytes: None,
            fallback: None,
            context_window: options.context_window(&model),
            running: 0,
            served: 0,
            failures: 0,
            last_failure: None,
            average: Duration::from_secs(5),
            waits: Latest::default(),
            first_tokens: Latest::default(),
        };
        Self { model, inner: Mutex::new(inner), queued: Notify::new(), evicted: Notify::new() }
    }

    pub(in crate::runtime) fn enqueue(
        &self,
        tenant: Option<UserId>,
        job: Job,
        options: &RuntimeOptions,
    ) -> Result<(), CompletionError> {
        let mut inner = locked(&self.inner);
        inner.queue.retain(|job| !job.outlet.is_closed());
        let images: usize = inner.queue.items().map(Job::image_bytes).sum();
        let too_large = job.image_bytes() > 0 && images + job.image_bytes() > MAX_WAITING_IMAGE_BYTES;
        let pushed = if too_large { Err(Full::OfAll) } else { inner.queue.push(tenant, job) };
        pushed.map_err(|full| {
            let slots = inner.worker.as_ref().map_or(1, |worker| worker.slots.max(1));
            let ahead = u32::try_from(inner.queue.len()).unwrap_or(u32::MAX).div_ceil(slots);
            let wait = inner.average.saturating_mul(ahead).min(options.longest_backoff);
            let retry_after = round_up(wait.max(Duration::from_secs(1)));
            match full {
                Full::OfOwn => CompletionError::TooMany { waiting: options.queue_per_user, retry_after },
                Full::OfAll => CompletionError::Busy { retry_after },
            }
        })?;
        inner.moved = true;
        let now = Instant::now();
        inner.people.retain(|_, asked| now - *asked < STAY);
        inner.people.insert(tenant, now);
        drop(inner);
        self.queued.notify_one();
        Ok(())
    }

    /// Asks the lane to unload its model once it has nothing to do. Until then it takes nothing new. Whether nobody had
    /// asked before.
    pub(in crate::runtime) fn evict(&self) -> bool {
        let asked = std::mem::replace(&mut locked(&self.inner).leaving, true);
        self.evicted.notify_one();
        !asked
    }

    pub(in crate::runtime) fn status(&self, clock: &dyn Clock) -> LaneStatus {
        let inner = locked(&self.inner);
        let worker = inner.worker.as_ref();
        let worker_id = worker.and_then(|worker| worker.id);
        let mut status = LaneStatus {
            model: self.model.name.to_string(),
            digest: self.model.digest.clone(),
            state: inner.state,
            worker_id,
            resident_bytes: None,
            estimated_bytes: inner.estimated_bytes,
            confinement: worker.and_then(|worker| worker.confinement),
            engine: worker.and_then(|worker| worker.engine.clone()),
            devices: worker.map(|worker| worker.devices.clone()).unwrap_or_default(),
            layers: worker.map_or(0, |worker| worker.layers),
            fallback: inner.fallback.clone(),
            mapped_bytes: None,
            context_window: inner.context_window,
            slots: worker.map_or(0, |worker| worker.slots),
            context_tokens: worker.map_or(0, |worker| worker.context_tokens.load(Ordering::Relaxed)),
            running: inner.running,
            queued: inner.queue.len(),
            people: inner.people(),
            keep_alive: inner.keep_alive,
            leaving: inner.leaving,
            expires_at: worker.and_then(|_| inner.expires_at(clock.now())),
            served: inner.served,
            failures: inner.failures,
            last_failure: inner.last_failure.clone(),
            wait_p50: inner.waits.median(),
            first_token_p50: inner.first_tokens.median(),
        };
        drop(inner);
        let in_use = worker_id.and_then(InUse::by);
        status.resident_bytes = in_use.map(InUse::bytes);
        status.mapped_bytes = in_use.map(|in_use| in_use.file_bytes);
        status
    }

    pub(in crate::runtime) fn worker_id(&self) -> Option<u32> {
        locked(&self.inner).worker.as_ref().and_then(|worker| worker.id)
    }

    pub(in crate::runtime) fn idle_since(&self) -> Option<Instant> {
        let inner = locked(&self.inner);
        (inner.state == LaneState::Idle && inner.queue.is_empty()).then_some(inner.idle_since)
    }

    /// When an idle worker has been idle for long enough; `None` when it stays for ever.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let inner = locked(&self.inner);
        match inner.keep_alive {
            KeepAlive::Forever => None,
            // So long that no clock counts it is for ever, too.
            KeepAlive::For(keep_alive) => inner.idle_since.checked_add(keep_alive),
        }
    }

    pub(super) fn is_leaving(&self) -> bool {
        locked(&self.inner).leaving
    }

    pub(super) fn set_state(&self, state: LaneState) {
        let mut inner = locked(&self.inner);
        inner.state = state;
        inner.idle_since = Instant::now();
        if matches!(state, LaneState::Cold | LaneState::Waiting) {
            inner.worker = None;
            inner.estimated_bytes = None;
            inner.leaving = false;
        }
    }

    pub(super) fn note_let_in(&self, estimated_bytes: u64) {
        locked(&self.inner).estimated_bytes = Some(estimated_bytes);
    }

    /// Why fewer layers are tried; `None` when the model is loaded anew.
    pub(super) fn note_fallback(&self, fallback: Option<String>) {
        locked(&self.inner).fallback = fallback;
    }

    pub(super) fn note_devices(&self, devices: Vec<DeviceShare>) {
        if let Some(worker) = &mut locked(&self.inner).worker {
            worker.devices = devices;
        }
    }

    pub(super) fn note_loaded(&self, worker: Worker, context_window: u32) {
        let mut inner = locked(&self.inner);
        inner.worker = Some(worker);
        inner.context_window = context_window;
    }

    pub(super) fn note_failure(&self, fault: &WorkerFault) {
        let mut inner = locked(&self.inner);
        inner.failures += 1;
        inner.last_failure = Some(fault.to_string());
    }

    pub(super) fn note_running(&self, running: usize) {
        locked(&self.inner).running = running;
    }

    /// A request leaves the queue for the worker; what it says of the model's stay holds from now on.
    pub(super) fn note_begun(&self, job: &Job) {
        let mut inner = locked(&self.inner);
        inner.waits.push(job.queued_at.elapsed());
        if let Some(keep_alive) = job.keep_alive {
            inner.keep_alive = keep_alive;
        }
    }

    pub(super) fn note_first_token(&self, took: Duration) {
        locked(&self.inner).first_tokens.push(took);
    }

    pub(super) fn note_served(&self, took: Duration) {
        let mut inner = locked(&self.inner);
        inner.served += 1;
        inner.average = (inner.average * 3 + took) / 4;
    }

    pub(super) fn last_failure(&self) -> String {
        locked(&self.inner).last_failure.clone().unwrap_or_default()
    }

    /// How many different people have asked lately.
    pub(super) fn people(&self) -> usize {
        locked(&self.inner).people.values().filter(|asked| asked.elapsed() < STAY).count()
    }

    /// Whoever has something running now.
    pub(super) fn note_at_work(&self, people: HashSet<Option<UserId>>) {
        locked(&self.inner).at_work = people;
    }

    /// The next request: of whoever has the fewest running already, as `held` says, if those are fewer than `most`.
    pub(super) fn next_job(
        &self,
        held: impl Fn(&Option<UserId>) -> usize,
        most: usize,
    ) -> Option<(Option<UserId>, Job)> {
        let mut inner = locked(&self.inner);
        inner.queue.retain(|job| !job.outlet.is_closed());
        let next = inner.queue.pop_for(held, most);
        inner.moved |= next.is_some();
        next
    }

    /// Tells everybody who waits how many are before them, where that has changed.
    pub(super) fn tell_who_waits(&self) {
        let mut inner = locked(&self.inner);
        if std::mem::take(&mut inner.moved) {
            inner.queue.in_order(|job, ahead| job.tell_ahead(u32::try_from(ahead).unwrap_or(u32::MAX)));
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        locked(&self.inner).queue.is_empty()
    }

    /// Ends everything that waits.
    pub(super) fn drain(&self) {
        locked(&self.inner).queue.retain(|_| false);
    }
}

impl Inner {
    /// Those who have something running or waiting, or asked a moment ago.
    fn people(&self) -> usize {
        let recent = self.people.iter().filter(|(_, asked)| asked.elapsed() < STAY).map(|(tenant, _)| tenant);
        recent.chain(&self.at_work).chain(self.queue.users()).collect::<HashSet<_>>().len()
    }

    fn expires_at(&self, now: Timestamp) -> Option<Timestamp> {
        let KeepAlive::For(keep_alive) = self.keep_alive else { return None };
        let idle = if self.state == LaneState::Idle { self.idle_since.elapsed() } else { Duration::ZERO };
        let left = i64::try_from(keep_alive.saturating_sub(idle).as_millis()).ok()?;
        now.as_millis().checked_add(left).map(Timestamp::from_millis)
    }
}
