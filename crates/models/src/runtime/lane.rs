//! One model: who waits for it, and the worker that serves many of them at once.

mod load;
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

use super::admission::{Admission, Grant, OnDevices};
use super::breaker::{Breaker, Permit};
use super::job::Job;
use super::options::RuntimeOptions;
use super::process::{WorkerFault, WorkerProcess};
use super::profile::Profiles;
use super::spawner::Spawner;
use super::totals::Totals;
use super::{locked, round_up};
use crate::protocol::{DeviceUse, Report};
use running::Running;
use sequence::Progress;
use stoa_model_store::Store;

pub(super) use shared::LaneShared;
pub use status::{DeviceShare, LaneState, LaneStatus};

/// What all lanes share.
pub(super) struct LaneContext {
    pub(super) options: RuntimeOptions,
    pub(super) store: Arc<Store>,
    pub(super) profiles: Arc<Profiles>,
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
    on_devices: Option<OnDevices>,
    grant: Grant,
}

impl Loaded {
    /// What the worker says of its memory on devices holds from now on.
    fn note_devices(&self, shared: &LaneShared, devices: &[DeviceUse]) {
        let held = self.on_devices.as_ref().map(|on| on.shares_of(devices)).unwrap_or_default();
        self.grant.takes(held.iter().map(|share| (share.id.clone(), share.bytes)).collect());
        shared.note_devices(held);
    }
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
                    let (progress, ended) = match report? {
                        Report::Devices { devices } => {
                            loaded.note_devices(&self.shared, &devices);
                            continue;
                        }
                        report => running.take(report)?,
                    };
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
        self.load(job).await
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
                match report {
                    Ok(Report::Devices { devices }) => loaded.note_devices(&shared, &devices),
                    Ok(_) => self.failed(&WorkerFault::OutOfTurn),
                    Err(fault) => self.failed(&fault),
                }
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
