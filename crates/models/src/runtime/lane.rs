//! One model: who waits for it, and the worker that serves them one after the other.

mod serve;

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use stoa_model::completion::CompletionError;
use stoa_model::{Clock, UserId};
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::{Notify, OwnedSemaphorePermit};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::answer::Event;
use super::breaker::{Breaker, Permit};
use super::options::RuntimeOptions;
use super::process::{WorkerFault, WorkerProcess};
use super::queue::FairQueue;
use super::slots::Slots;
use super::spawner::Spawner;
use super::{locked, round_up};
use crate::protocol::{Message, Sampling, WorkerArguments};
use crate::store::{Digest, StoredModel};

/// What all lanes share.
pub(super) struct LaneContext {
    pub(super) options: RuntimeOptions,
    pub(super) spawner: Spawner,
    pub(super) slots: Slots,
    pub(super) shutdown: CancellationToken,
    pub(super) tracker: TaskTracker,
    pub(super) clock: Arc<dyn Clock>,
}

/// One request on its way to the worker.
pub(super) struct Job {
    pub(super) messages: Vec<Message>,
    pub(super) sampling: Sampling,
    pub(super) max_tokens: Option<u32>,
    pub(super) stop: Vec<String>,
    pub(super) cache_scope: Option<String>,
    /// Closed as soon as nobody wants the answer any more.
    pub(super) events: UnboundedSender<Event>,
}

/// A job that is dropped without an end was dropped with its lane's task. After an end nobody listens any more.
impl Drop for Job {
    fn drop(&mut self) {
        self.fail(shutting_down());
    }
}

impl Job {
    fn fail(&self, error: CompletionError) {
        // Nobody may be listening any more.
        let _ = self.events.send(Err(error));
    }
}

/// What a lane is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LaneState {
    /// Nothing is loaded.
    Cold,
    /// Waiting for another model to make room, or for the end of a pause after failures.
    Waiting,
    Loading,
    Idle,
    Busy,
}

/// A lane as operators see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaneStatus {
    pub model: String,
    pub digest: Digest,
    pub state: LaneState,
    pub worker_id: Option<u32>,
    pub queued: usize,
    /// Answers that came to an end, good or cancelled.
    pub served: u64,
    /// Workers that failed since the lane opened.
    pub failures: u64,
    pub last_failure: Option<String>,
}

/// The part of a lane that others touch.
pub(super) struct LaneShared {
    model: StoredModel,
    inner: Mutex<Inner>,
    queued: Notify,
    evicted: Notify,
}

struct Inner {
    queue: FairQueue<Option<UserId>, Job>,
    state: LaneState,
    idle_since: Instant,
    worker_id: Option<u32>,
    served: u64,
    failures: u64,
    last_failure: Option<String>,
    /// How long an answer takes, as an average that forgets.
    average: Duration,
}

impl LaneShared {
    pub(super) fn new(model: StoredModel, options: &RuntimeOptions) -> Self {
        let inner = Inner {
            queue: FairQueue::new(options.queue_per_user, options.queue_per_model),
            state: LaneState::Cold,
            idle_since: Instant::now(),
            worker_id: None,
            served: 0,
            failures: 0,
            last_failure: None,
            average: Duration::from_secs(5),
        };
        Self { model, inner: Mutex::new(inner), queued: Notify::new(), evicted: Notify::new() }
    }

    pub(super) fn enqueue(
        &self,
        tenant: Option<UserId>,
        job: Job,
        options: &RuntimeOptions,
    ) -> Result<(), CompletionError> {
        let mut inner = locked(&self.inner);
        inner.queue.retain(|job| !job.events.is_closed());
        inner.queue.push(tenant, job).map_err(|_| {
            let ahead = u32::try_from(inner.queue.len()).unwrap_or(u32::MAX);
            let wait = inner.average.saturating_mul(ahead).min(options.longest_backoff);
            CompletionError::Busy { retry_after: round_up(wait.max(Duration::from_secs(1))) }
        })?;
        drop(inner);
        self.queued.notify_one();
        Ok(())
    }

    /// Asks the lane to unload its model once it is idle.
    pub(super) fn evict(&self) {
        self.evicted.notify_one();
    }

    pub(super) fn status(&self) -> LaneStatus {
        let inner = locked(&self.inner);
        LaneStatus {
            model: self.model.name.to_string(),
            digest: self.model.digest.clone(),
            state: inner.state,
            worker_id: inner.worker_id,
            queued: inner.queue.len(),
            served: inner.served,
            failures: inner.failures,
            last_failure: inner.last_failure.clone(),
        }
    }

    fn idle_since(&self) -> Option<Instant> {
        let inner = locked(&self.inner);
        (inner.state == LaneState::Idle && inner.queue.is_empty()).then_some(inner.idle_since)
    }

    fn set_state(&self, state: LaneState) {
        let mut inner = locked(&self.inner);
        inner.state = state;
        inner.idle_since = Instant::now();
        if matches!(state, LaneState::Cold | LaneState::Waiting) {
            inner.worker_id = None;
        }
    }

    fn note_failure(&self, fault: &WorkerFault) {
        let mut inner = locked(&self.inner);
        inner.failures += 1;
        inner.last_failure = Some(fault.to_string());
    }

    fn note_served(&self, took: Duration) {
        let mut inner = locked(&self.inner);
        inner.served += 1;
        inner.average = (inner.average * 3 + took) / 4;
    }

    fn next_job(&self) -> Option<Job> {
        let mut inner = locked(&self.inner);
        inner.queue.retain(|job| !job.events.is_closed());
        inner.queue.pop()
    }

    /// Ends everything that waits.
    fn drain(&self) {
        locked(&self.inner).queue.retain(|_| false);
    }
}

/// A loaded worker and the room it takes.
struct Loaded {
    worker: WorkerProcess,
    _slot: OwnedSemaphorePermit,
}

/// The task of a lane. It ends when the lane has been idle for long enough, and takes the lane with it.
pub(super) struct Lane {
    shared: Arc<LaneShared>,
    context: Arc<LaneContext>,
    lanes: super::Lanes,
    loaded: Option<Loaded>,
    breaker: Breaker,
}

impl Lane {
    pub(super) fn new(shared: Arc<LaneShared>, context: Arc<LaneContext>, lanes: super::Lanes) -> Self {
        let breaker = Breaker::new(context.options.first_backoff, context.options.longest_backoff);
        Self { shared, context, lanes, loaded: None, breaker }
    }

    pub(super) async fn run(mut self) {
        let shutdown = self.context.shutdown.clone();
        let cancelled = tokio::select! {
            () = self.work() => false,
            () = shutdown.cancelled() => true,
        };
        if cancelled {
            locked(&self.lanes).remove(&self.shared.model.digest);
            self.shared.drain();
        }
        self.unload().await;
    }

    /// Serves until there has been nothing to do for long enough.
    async fn work(&mut self) {
        loop {
            match self.shared.next_job() {
                Some(job) => self.handle(job).await,
                None => {
                    if self.rest().await.is_break() {
                        return;
                    }
                }
            }
        }
    }

    async fn handle(&mut self, job: Job) {
        if let Err(error) = self.ready(&job).await {
            job.fail(error);
            return;
        }
        let Some(loaded) = &mut self.loaded else { return };
        self.shared.set_state(LaneState::Busy);
        let started = Instant::now();
        match serve::serve(&mut loaded.worker, job, self.context.clock.now()).await {
            Ok(()) => {
                self.breaker.succeeded();
                self.shared.note_served(started.elapsed());
                self.shared.set_state(LaneState::Idle);
                if self.context.slots.is_wanted() {
                    self.unload().await;
                }
            }
            Err(fault) => self.failed(&fault),
        }
    }

    /// Sees to it that a worker is loaded.
    async fn ready(&mut self, job: &Job) -> Result<(), CompletionError> {
        if self.loaded.is_some() {
            return Ok(());
        }
        match self.breaker.permit(Instant::now()) {
            Permit::Go => {}
            Permit::Wait(pause) => {
                self.shared.set_state(LaneState::Waiting);
                sleep(pause).await;
            }
            Permit::Open { retry_after } => {
                self.shared.set_state(LaneState::Cold);
                let last = locked(&self.shared.inner).last_failure.clone().unwrap_or_default();
                let detail = format!(
                    "it has failed {} times in a row and is tried again in {} seconds; last, {last}",
                    self.breaker.failures(),
                    round_up(retry_after).as_secs(),
                );
                return Err(CompletionError::WorkerFailed { detail });
            }
        }
        self.shared.set_state(LaneState::Waiting);
        let slot = tokio::select! {
            slot = self.context.slots.acquire(|| self.evict_longest_idle()) => slot.ok_or_else(shutting_down)?,
            // Nobody wants the answer any more, so the model need not be loaded, either.
            () = job.events.closed() => return Err(shutting_down()),
        };
        self.shared.set_state(LaneState::Loading);
        let started = Instant::now();
        let options = &self.context.options;
        let arguments = WorkerArguments {
            model: self.shared.model.path.clone(),
            context_window: options.context_window(&self.shared.model),
            parent: std::process::id(),
            threads: options.threads,
            memory_bytes: options.memory_bytes,
            processor: options.processor,
        };
        match WorkerProcess::start(&self.context.spawner, options, arguments, &self.context.tracker).await {
            Ok(worker) => {
                tracing::info!(
                    model = %self.shared.model.name,
                    worker = worker.id(),
                    elapsed_ms = started.elapsed().as_millis(),
                    "a local model is loaded"
                );
                locked(&self.shared.inner).worker_id = worker.id();
                self.loaded = Some(Loaded { worker, _slot: slot });
                Ok(())
            }
            Err(fault) => {
                self.failed(&fault);
                Err(fault.completion_error())
            }
        }
    }

    fn failed(&mut self, fault: &WorkerFault) {
        tracing::warn!(
            model = %self.shared.model.name,
            error = fault as &dyn std::error::Error,
            "the worker of a local model failed"
        );
        self.breaker.failed(Instant::now());
        self.shared.note_failure(fault);
        self.loaded = None;
        self.shared.set_state(LaneState::Cold);
    }

    /// Waits for work. Meanwhile the worker may die, be evicted, or have been idle for long enough.
    async fn rest(&mut self) -> ControlFlow<()> {
        let shared = Arc::clone(&self.shared);
        let until = Instant::now() + self.context.options.keep_alive;
        let Some(loaded) = &mut self.loaded else {
            // Stays for the breaker's sake only: a lane that is gone forgets its failures.
            return tokio::select! {
                () = shared.queued.notified() => ControlFlow::Continue(()),
                () = sleep_until(until) => self.close(),
            };
        };
        shared.set_state(LaneState::Idle);
        tokio::select! {
            () = shared.queued.notified() => ControlFlow::Continue(()),
            report = loaded.worker.next_report() => {
                let fault = report.map_or_else(|fault| fault, |_| WorkerFault::OutOfTurn);
                self.failed(&fault);
                ControlFlow::Continue(())
            }
            () = shared.evicted.notified() => {
                self.unload().await;
                ControlFlow::Continue(())
            }
            () = sleep_until(until) => {
                self.unload().await;
                self.close()
            }
        }
    }

    /// Takes the lane off the map, unless a request has come in at the last moment.
    fn close(&self) -> ControlFlow<()> {
        let mut lanes = locked(&self.lanes);
        if !locked(&self.shared.inner).queue.is_empty() {
            return ControlFlow::Continue(());
        }
        lanes.remove(&self.shared.model.digest);
        ControlFlow::Break(())
    }

    async fn unload(&mut self) {
        let Some(loaded) = self.loaded.take() else { return };
        loaded.worker.shut_down().await;
        self.shared.set_state(LaneState::Cold);
        tracing::info!(model = %self.shared.model.name, "a local model is unloaded");
    }

    fn evict_longest_idle(&self) {
        let lanes = locked(&self.lanes);
        let idle: HashMap<&Digest, Instant> =
            lanes.iter().filter_map(|(digest, lane)| Some((digest, lane.idle_since()?))).collect();
        let longest = idle.into_iter().min_by_key(|(_, since)| *since).and_then(|(digest, _)| lanes.get(digest));
        if let Some(lane) = longest {
            lane.evict();
        }
    }
}

pub(super) fn shutting_down() -> CompletionError {
    CompletionError::WorkerFailed { detail: "the server is shutting down".to_owned() }
}
