//! One model: who waits for it, and the worker that serves many of them at once.

mod running;
mod sequence;
mod shared;
mod status;

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use stoa_model::completion::CompletionError;
use stoa_model::{Clock, UserId};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::admission::{Admission, Grant, IdleModel};
use super::breaker::{Breaker, Permit};
use super::estimate;
use super::job::Job;
use super::options::RuntimeOptions;
use super::process::{WorkerFault, WorkerProcess};
use super::spawner::Spawner;
use super::totals::Totals;
use super::{locked, round_up};
use crate::protocol::{Confinement, Landlock, WorkerArguments};
use running::Running;
use sequence::Progress;

pub(super) use shared::LaneShared;
pub use status::{LaneState, LaneStatus};

/// What all lanes share.
pub(super) struct LaneContext {
    pub(super) options: RuntimeOptions,
    pub(super) spawner: Spawner,
    pub(super) admission: Arc<Admission>,
    pub(super) totals: Totals,
    pub(super) shutdown: CancellationToken,
    pub(super) tracker: TaskTracker,
    pub(super) clock: Arc<dyn Clock>,
}

/// A loaded worker and the room it takes.
struct Loaded {
    worker: WorkerProcess,
    at: Instant,
    took: Duration,
    _grant: Grant,
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
            locked(&self.lanes).remove(&self.shared.model.content());
            self.shared.drain();
        }
        self.unload().await;
    }

    /// Serves until there has been nothing to do for long enough.
    async fn work(&mut self) {
        loop {
            match self.shared.next_job(|_| 0, usize::MAX) {
                Some((tenant, job)) => self.handle(tenant, job).await,
                None => {
                    if self.rest().await.is_break() {
                        return;
                    }
                }
            }
        }
    }

    async fn handle(&mut self, tenant: Option<UserId>, job: Job) {
        if let Err(error) = self.ready(&job).await {
            job.outlet.fail(error);
            return;
        }
        self.shared.set_state(LaneState::Busy);
        let mut running = Running::default();
        let ended = self.serve(&mut running, tenant, job).await;
        self.shared.note_running(0);
        self.shared.note_at_work(HashSet::new());
        match ended {
            Ok(()) => {
                self.shared.set_state(LaneState::Idle);
                if self.is_to_leave() {
                    self.unload().await;
                }
            }
            Err(fault) => {
                running.fail(&fault.completion_error());
                self.failed(&fault);
            }
        }
    }

    /// Serves `job` and whoever comes meanwhile, until nothing is running. What is left in `running` after a fault has
    /// lost its worker.
    async fn serve(&mut self, running: &mut Running, tenant: Option<UserId>, job: Job) -> Result<(), WorkerFault> {
        let mut next = Some((tenant, job));
        loop {
            while let Some((tenant, job)) = next.take().or_else(|| self.admit(running)) {
                let Some(loaded) = &mut self.loaded else { return Ok(()) };
                self.shared.note_begun(&job);
                self.context.totals.begun(job.queued_at.elapsed());
                running.begin(loaded, tenant, job, self.context.clock.now()).await?;
                self.shared.note_at_work(running.people());
            }
            self.shared.note_running(running.len());
            self.shared.tell_who_waits();
            let Some(loaded) = self.loaded.as_mut().filter(|_| !running.is_empty()) else { return Ok(()) };
            tokio::select! {
                report = loaded.worker.next_report() => {
                    let (progress, ended) = running.take(report?)?;
                    if let Progress::FirstText(took) = progress {
                        self.shared.note_first_token(took);
                    }
                    if let Some(sequence) = ended {
                        self.breaker.succeeded();
                        self.shared.note_served(sequence.took());
                        self.shared.note_at_work(running.people());
                    }
                }
                sequence = running.next_gone() => loaded.worker.cancel(sequence).await?,
                () = self.shared.queued.notified() => {}
            }
        }
    }

    /// Whoever may begin now. Of those who wait, it is the turn of whoever has the fewest requests running, and nobody
    /// gets so many that whoever comes next has to wait for somebody's long answers.
    fn admit(&self, running: &Running) -> Option<(Option<UserId>, Job)> {
        let slots = self.loaded.as_ref().map_or(0, |loaded| loaded.worker.slots());
        if running.len() >= slots || self.is_to_leave() {
            return None;
        }
        self.shared.next_job(|user| running.held_by(*user), most_per_user(slots, self.shared.people()))
    }

    /// Whether the worker shall end once it has nothing to do.
    fn is_to_leave(&self) -> bool {
        self.context.admission.is_wanted() || self.shared.is_leaving()
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
                let detail = format!(
                    "it has failed {} times in a row and is tried again in {} seconds; last, {}",
                    self.breaker.failures(),
                    round_up(retry_after).as_secs(),
                    self.shared.last_failure(),
                );
                return Err(CompletionError::WorkerFailed { detail });
            }
        }
        self.shared.set_state(LaneState::Waiting);
        let needed =
            estimate::needed_bytes(&self.shared.model, &self.context.options, self.context.admission.bound_bytes());
        let grant = tokio::select! {
            grant = self.context.admission.acquire(needed, || self.idle_models()) => grant.map_err(|no_room| {
                self.shared.set_state(LaneState::Cold);
                no_room.completion_error()
            })?,
            // Nobody wants the answer any more, so the model need not be loaded, either.
            () = job.outlet.closed() => return Err(shutting_down()),
        };
        self.shared.note_let_in(needed);
        self.load(grant).await.map_err(|fault| {
            self.failed(&fault);
            fault.completion_error()
        })
    }

    async fn load(&mut self, grant: Grant) -> Result<(), WorkerFault> {
        self.shared.set_state(LaneState::Loading);
        let started = Instant::now();
        let options = &self.context.options;
        let arguments = WorkerArguments {
            model: self.shared.model.path.clone(),
            projector: self.shared.model.projector.as_ref().map(|projector| projector.path.clone()),
            context_window: options.context_window(&self.shared.model),
            slots: options.slots,
            context_bytes: options.context_bytes,
            parent: std::process::id(),
            threads: options.threads,
            memory_bytes: options.memory_bytes,
            processor: options.processor,
        };
        let worker =
            WorkerProcess::start(&self.context.spawner, options, arguments, &self.context.tracker, |process| {
                grant.started(process);
            })
            .await?;
        let took = started.elapsed();
        self.context.totals.loaded(took);
        tracing::info!(
            model = %self.shared.model.name,
            worker = worker.id(),
            slots = worker.slots(),
            confinement = worker.confinement().map(tracing::field::display),
            elapsed_ms = took.as_millis(),
            "a local model is loaded"
        );
        self.warn_of_gaps(worker.confinement());
        let slots = u32::try_from(worker.slots()).unwrap_or(u32::MAX);
        grant.loaded();
        let noted = shared::Worker {
            id: worker.id(),
            slots,
            context_tokens: worker.context_tokens(),
            confinement: worker.confinement(),
        };
        self.shared.note_loaded(noted, worker.context_window());
        self.loaded = Some(Loaded { worker, at: Instant::now(), took, _grant: grant });
        Ok(())
    }

    /// A worker that this kernel cannot lock in wholly serves all the same, but nobody shall think that it is.
    fn warn_of_gaps(&self, confinement: Option<Confinement>) {
        let missing = match confinement.map(|confinement| confinement.landlock) {
            Some(Landlock::Full { .. }) => return,
            Some(Landlock::Partial { .. }) => {
                "this kernel's Landlock is older than Linux 6.12: ports, signals or sockets of other programs are kept \
                 from the worker by seccomp alone"
            }
            Some(Landlock::Absent) | None => {
                "this kernel has no Landlock (Linux 5.13 or later, and `landlock` among its security modules): the \
                 worker could read every file that the server may read"
            }
        };
        tracing::warn!(model = %self.shared.model.name, missing, "the worker of a local model is not wholly locked in");
    }

    fn failed(&mut self, fault: &WorkerFault) {
        tracing::warn!(
            model = %self.shared.model.name,
            error = fault as &dyn std::error::Error,
            "the worker of a local model failed"
        );
        self.breaker.failed(Instant::now());
        self.context.totals.failed();
        self.shared.note_failure(fault);
        self.loaded = None;
        self.shared.set_state(LaneState::Cold);
    }

    /// Waits for work. Meanwhile the worker may die, be evicted, or have been idle for long enough.
    async fn rest(&mut self) -> ControlFlow<()> {
        let shared = Arc::clone(&self.shared);
        let Some(loaded) = &mut self.loaded else {
            // Stays for the breaker's sake only: a lane that is gone forgets its failures.
            let until = Instant::now() + self.context.options.keep_alive;
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
                // Whoever asked while the worker was busy has been heard already.
                if shared.is_leaving() {
                    self.unload().await;
                }
                ControlFlow::Continue(())
            }
            () = expire(shared.deadline()) => {
                self.unload().await;
                self.close()
            }
        }
    }

    /// Takes the lane off the map, unless a request has come in at the last moment.
    fn close(&self) -> ControlFlow<()> {
        let mut lanes = locked(&self.lanes);
        if !self.shared.is_empty() {
            return ControlFlow::Continue(());
        }
        lanes.remove(&self.shared.model.content());
        ControlFlow::Break(())
    }

    async fn unload(&mut self) {
        let Some(loaded) = self.loaded.take() else { return };
        loaded.worker.shut_down().await;
        self.context.totals.unloaded();
        self.shared.set_state(LaneState::Cold);
        tracing::info!(model = %self.shared.model.name, "a local model is unloaded");
    }

    /// The other models that nobody uses right now.
    fn idle_models(&self) -> Vec<IdleModel> {
        let lanes = locked(&self.lanes);
        lanes.values().filter_map(|lane| IdleModel::new(Arc::clone(lane))).collect()
    }
}

/// How many slots one of so many `people` gets at most: an equal share, but at least a quarter, as not all of them ask at
/// once; and all but one when nobody else is there, so that the next to come finds a place.
fn most_per_user(slots: usize, people: usize) -> usize {
    let share = slots.div_ceil(people.max(1)).max(slots / 4);
    share.min(slots.saturating_sub(1)).max(1)
}

async fn expire(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

pub(super) fn shutting_down() -> CompletionError {
    CompletionError::WorkerFailed { detail: "the server is shutting down".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::most_per_user;

    #[test]
    fn the_more_people_there_are_the_fewer_slots_one_of_them_gets() {
        let most = |slots| [0, 1, 2, 3, 20].map(|people| most_per_user(slots, people));
        assert_eq!(most(16), [15, 15, 8, 6, 4]);
        assert_eq!(most(4), [3, 3, 2, 2, 1]);
        assert_eq!(most(1), [1; 5]);
    }
}
