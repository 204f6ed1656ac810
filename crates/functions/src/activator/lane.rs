//! The requests and instances of one version.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::{Request, Response};
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::queue::Queue;
use super::seats::Seats;
use super::{Options, Refusal};
use crate::autoscaler::{Autoscaler, Bounds, Window};
use crate::call::{Failed, Limits};
use crate::{
    Body, CallError, ColdStart, Connections, Engine, EngineError, Instance, InstanceId, RequestBody, State, StopReason,
    Version,
};

/// How often a request that reached no instance is tried at another.
const TRIES: u32 = 6;
/// Before the second try, and longer before each: until the engine has noticed what became of the instance.
const PAUSE: Duration = Duration::from_millis(10);
/// How long the end of an instance is waited for that has broken off an answer.
const TO_END: Duration = Duration::from_secs(2);

pub struct Lane {
    pub(super) version: Version,
    pub(super) engine: Arc<dyn Engine>,
    pub(super) options: Options,
    pub(super) tracker: TaskTracker,
    state: Mutex<LaneState>,
    /// That there is something for the keeper to look at.
    pub(super) news: Notify,
    drained: Notify,
    /// Nothing is started or stopped any more.
    pub(super) over: CancellationToken,
}

pub(super) struct LaneState {
    pub(super) queue: Queue<Waiter>,
    pub(super) seats: Seats,
    pub(super) window: Window,
    pub(super) autoscaler: Autoscaler,
    pub(super) failure: Option<Failure>,
    pub(super) retired: bool,
    numbers: u64,
    account: Account,
}

/// What a lane has taken, up to a moment. From there on it takes what stands in `busy` and `held`.
struct Account {
    at: Instant,
    busy: u32,
    held: u32,
    taken: Taken,
}

/// What instances have taken since somebody last asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// How long instances had something to do, each for itself.
    pub busy: Duration,
    /// How long there were instances, each for itself, those included that were starting or frozen.
    pub held: Duration,
}

impl Account {
    fn turn(&mut self, now: Instant, busy: u32, held: u32) {
        let passed = now.saturating_duration_since(self.at);
        self.taken.busy += passed * self.busy;
        self.taken.held += passed * self.held;
        (self.at, self.busy, self.held) = (now, busy, held);
    }
}

/// The latest start that failed, while it counts.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    pub(super) reason: StopReason,
    pub(super) log: String,
    pub(super) in_a_row: u32,
    pub(super) until: Instant,
}

pub(super) struct Waiter {
    pub(super) number: u64,
    pub(super) since: Instant,
    pub(super) answer: oneshot::Sender<Result<Lease, Refusal>>,
}

/// Who answered: an extension of every answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Served {
    pub instance: InstanceId,
    /// Of the first request of an instance, what it waited for.
    pub cold_start: Option<ColdStart>,
}

/// A request that was not answered. Where it has reached no instance, it comes back.
#[derive(Debug)]
pub struct Rejected {
    pub refusal: Refusal,
    pub request: Option<Request<RequestBody>>,
}

/// A place at an instance, given back when dropped.
pub struct Lease {
    lane: Arc<Lane>,
    pub instance: InstanceId,
    /// Of the first request of the instance, what the start took, and when it was over.
    cold: Option<(ColdStart, Instant)>,
    connections: Arc<Connections>,
}

impl Lane {
    pub(super) fn new(
        version: Version,
        engine: Arc<dyn Engine>,
        options: Options,
        tracker: TaskTracker,
        over: CancellationToken,
    ) -> Arc<Self> {
        let spec = &version.spec;
        let bounds =
            Bounds { concurrency: spec.concurrency, minimum: spec.instances.minimum, maximum: spec.instances.maximum };
        let state = LaneState {
            queue: Queue::new(options.queue),
            seats: Seats::default(),
            window: Window::new(Instant::now()),
            autoscaler: Autoscaler::new(bounds),
            failure: None,
            retired: false,
            numbers: 0,
            account: Account { at: Instant::now(), busy: 0, held: 0, taken: Taken::default() },
        };
        Arc::new(Self {
            version,
            engine,
            options,
            tracker,
            state: Mutex::new(state),
            news: Notify::new(),
            drained: Notify::new(),
            over,
        })
    }

    pub(super) fn state(&self) -> MutexGuard<'_, LaneState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place at an instance, as soon as there is one. `caller` is whoever shall wait behind others no more than they do
    /// behind it.
    pub async fn admit(self: &Arc<Self>, caller: &str) -> Result<Lease, Refusal> {
        let (number, answered) = {
            let mut state = self.state();
            if state.retired {
                return Err(Refusal::Retired);
            }
            if state.queue.is_empty()
                && let Some(lease) = self.take_seat(&mut state)
            {
                return Ok(lease);
            }
            let now = Instant::now();
            if let Some(failure) = &state.failure
                && state.seats.staying() == 0
                && now < failure.until
            {
                return Err(failure.refusal(now));
            }
            let (answer, answered) = oneshot::channel();
            state.numbers += 1;
            let number = state.numbers;
            if let Some(given_up) = state.queue.push(caller, Waiter { number, since: now, answer }) {
                // Maybe this very one.
                let _ = given_up.answer.send(Err(Refusal::QueueFull));
            }
            state.record(now);
            (number, answered)
        };
        self.news.notify_one();
        let _leaves = Leaves { lane: self, number };
        let hold = self.options.hold.max(Duration::from_millis(self.version.spec.timeouts.start_ms));
        match tokio::time::timeout(hold, answered).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(Refusal::Retired),
            Err(_) => Err(Refusal::Deadline),
        }
    }

    /// Has a request answered. One that reached no instance, as that had just gone, is tried at another; one that did is
    /// not, as nobody knows what came of it.
    pub async fn call(
        self: &Arc<Self>,
        caller: &str,
        mut request: Request<RequestBody>,
    ) -> Result<Response<Body>, Box<Rejected>> {
        let limits = Limits::from(self.version.spec.timeouts);
        let mut tries = 0;
        loop {
            let lease = match self.admit(caller).await {
                Ok(lease) => lease,
                Err(refusal) => return Err(Box::new(Rejected { refusal, request: Some(request) })),
            };
            tries += 1;
            match lease.connections.send(&*self.engine, request, limits).await {
                Ok(mut response) => {
                    response.extensions_mut().insert(lease.served());
                    return Ok(response.map(|body| body.hold(lease)));
                }
                Err(Failed { error, request: Some(unsent) }) if tries < TRIES => {
                    tracing::debug!(error = &error as &dyn std::error::Error, "a request goes to another instance");
                    self.suspect(&lease.instance, &error);
                    drop(lease);
                    tokio::time::sleep(PAUSE * tries).await;
                    request = *unsent;
                }
                Err(Failed { error, request }) => {
                    let error = self.why(&lease.instance, error).await;
                    let request = request.map(|unsent| *unsent);
                    return Err(Box::new(Rejected { refusal: error.into(), request }));
                }
            }
        }
    }

    /// Of an answer that broke off, why the engine has ended who should give it, if it has.
    async fn why(&self, instance: &InstanceId, error: CallError) -> CallError {
        let (CallError::Http(_), Ok(mut seen)) = (&error, self.engine.instances(&self.version.id)) else {
            return error;
        };
        let state = |seen: &[Instance]| seen.iter().find(|one| one.id == *instance).map(|one| one.state.clone());
        let settled = seen.wait_for(|seen| !matches!(state(seen), Some(State::Stopping)));
        let settled = tokio::time::timeout(TO_END, settled).await.ok().and_then(Result::ok);
        match settled.and_then(|seen| state(&seen)) {
            Some(State::Stopped { reason }) if reason.is_of_a_volume() => CallError::Ended(reason),
            _ => error,
        }
    }

    /// Nothing more goes to an instance that the engine does not know.
    fn suspect(&self, instance: &InstanceId, error: &CallError) {
        let gone = matches!(error, CallError::Connect(EngineError::NoInstance));
        if gone && let Some(seat) = self.state().seats.get_mut(instance) {
            seat.state = super::seats::SeatState::Leaving;
        }
        self.news.notify_one();
    }

    fn take_seat(self: &Arc<Self>, state: &mut LaneState) -> Option<Lease> {
        let (instance, seat) = state.seats.free(self.version.spec.concurrency)?;
        seat.busy += 1;
        let lease = Lease {
            lane: Arc::clone(self),
            instance: instance.clone(),
            cold: seat.cold.take(),
            connections: Arc::clone(&seat.connections),
        };
        state.record(Instant::now());
        Some(lease)
    }

    /// Gives places to those who wait, as long as there are both.
    pub(super) fn dispatch(self: &Arc<Self>) {
        loop {
            let (waiter, lease) = {
                let mut state = self.state();
                state.queue.retain(|waiter| !waiter.answer.is_closed());
                if state.queue.is_empty() {
                    return;
                }
                if state.seats.free(self.version.spec.concurrency).is_none() {
                    return;
                }
                let Some(waiter) = state.queue.pop() else { return };
                let Some(lease) = self.take_seat(&mut state) else { return };
                (waiter, lease)
            };
            // Whoever is gone gives the place back, which needs the lock that is not held any more.
            drop(waiter.answer.send(Ok(lease)));
        }
    }

    /// Refuses all who wait.
    pub(super) fn refuse_all(&self, failure: &Failure) {
        let waiting = self.state().queue.take_all();
        let now = Instant::now();
        for waiter in waiting {
            let _ = waiter.answer.send(Err(failure.refusal(now)));
        }
    }

    /// Takes nothing new, and returns when nothing waits and nothing is served.
    pub(super) async fn drain(self: &Arc<Self>) {
        self.state().retired = true;
        self.news.notify_one();
        loop {
            let drained = self.drained.notified();
            {
                let state = self.state();
                if state.queue.is_empty() && state.seats.busy() == 0 {
                    return;
                }
            }
            drained.await;
        }
    }

    /// What its instances have taken since this was last asked.
    pub fn take_account(&self) -> Taken {
        let mut state = self.state();
        state.record(Instant::now());
        std::mem::take(&mut state.account.taken)
    }

    /// The version that it serves.
    pub fn version(&self) -> &Version {
        &self.version
    }

    pub fn has_volumes(&self) -> bool {
        !self.version.volumes.is_empty()
    }

    /// Requests that are served, and those that wait.
    pub fn load(&self) -> (u32, usize) {
        let state = self.state();
        (state.seats.busy(), state.queue.len())
    }
}

impl LaneState {
    pub(super) fn demand(&self) -> u32 {
        self.seats.busy().saturating_add(u32::try_from(self.queue.len()).unwrap_or(u32::MAX))
    }

    pub(super) fn record(&mut self, now: Instant) {
        let demand = self.demand();
        self.window.record(now, demand);
        let (busy, held) = self.seats.taken();
        self.account.turn(now, busy, held);
    }
}

impl Failure {
    fn refusal(&self, now: Instant) -> Refusal {
        Refusal::StartFailed {
            reason: self.reason.clone(),
            log: self.log.clone(),
            retry_after: self.until.saturating_duration_since(now),
        }
    }
}

impl Lease {
    fn served(&self) -> Served {
        let cold_start = self.cold.map(|(start, ready)| ColdStart { first_byte: Some(ready.elapsed()), ..start });
        Served { instance: self.instance.clone(), cold_start }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        {
            let mut state = self.lane.state();
            let now = Instant::now();
            if let Some(seat) = state.seats.get_mut(&self.instance) {
                seat.busy = seat.busy.saturating_sub(1);
                seat.idle_since = now;
            }
            state.record(now);
        }
        self.lane.dispatch();
        self.lane.drained.notify_waiters();
    }
}

/// Takes a request out of the queue whose caller has gone.
struct Leaves<'l> {
    lane: &'l Arc<Lane>,
    number: u64,
}

impl Drop for Leaves<'_> {
    fn drop(&mut self) {
        let mut state = self.lane.state();
        state.queue.retain(|waiter| waiter.number != self.number);
        state.record(Instant::now());
        drop(state);
        self.lane.drained.notify_waiters();
    }
}
