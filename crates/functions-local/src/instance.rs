//! The life of one instance, from its turn to start to its end.

pub(crate) mod plan;

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use stoa_functions::spec::Hook;
use stoa_functions::{EngineError, Instance, InstanceId, LogPage, State, StopReason, Version};
use stoa_functions_init::protocol::{Ended, Failure};
use tokio::net::TcpStream;
use tokio::sync::{Mutex as AsyncMutex, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::health;
use crate::host::Host;
use crate::measuring;
use crate::output::{self, Complaints};
use crate::pool::Pool;
use crate::prepared::Prepared;
use crate::sandbox::{Gone, MakeError, Sandbox};
use crate::volumes::VolumeError;
use crate::ways::{Wanted, Ways};

pub(crate) use plan::environment;

/// Lines that one look at the log gets.
const LOG_LINES: usize = 1_000;

/// What others see of an instance, and how they reach it.
pub(crate) struct Handle {
    pub(crate) id: InstanceId,
    view: Mutex<Instance>,
    sandbox: OnceLock<Arc<Sandbox>>,
    /// The connection that found the instance listening, for whoever asks soon.
    first: Mutex<Option<(TcpStream, Instant)>>,
    stop: CancellationToken,
    /// Held while it is frozen or thawed.
    transition: AsyncMutex<()>,
    changed: Box<dyn Fn() + Send + Sync>,
    host: Arc<Host>,
}

/// From ready on, an instance has more of the processor than its share for so long: the first request, for which an
/// interpreter compiles what it has not run before, belongs to the start.
const BOOST: Duration = Duration::from_millis(250);

/// How long one that is ready has the machine before others are made that will wait.
const TO_ANSWER: Duration = Duration::from_millis(50);

/// A server may close a connection on which nothing comes, and does so after seconds.
const FIRST_IS_FRESH: Duration = Duration::from_secs(1);

impl Handle {
    pub(crate) fn new(id: InstanceId, host: Arc<Host>, changed: impl Fn() + Send + Sync + 'static) -> Self {
        let now = host.clock.now();
        let view = Instance {
            id: id.clone(),
            state: State::Pending,
            created_at: now,
            since: now,
            ready_at: None,
            cold_start: stoa_functions::ColdStart::default(),
        };
        Self {
            id,
            view: Mutex::new(view),
            sandbox: OnceLock::new(),
            first: Mutex::new(None),
            stop: CancellationToken::new(),
            transition: AsyncMutex::new(()),
            changed: Box::new(changed),
            host,
        }
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, Instance> {
        self.view.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn view(&self) -> Instance {
        self.locked().clone()
    }

    pub(crate) fn is_over(&self) -> bool {
        self.locked().state.is_over()
    }

    /// Whether it counts among those that are wanted.
    pub(crate) fn is_staying(&self) -> bool {
        !self.stop.is_cancelled() && !self.is_over()
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.locked().state == State::Ready
    }

    pub(crate) fn stop(&self) {
        self.stop.cancel();
    }

    fn enter(&self, state: State) {
        {
            let mut view = self.locked();
            if !view.state.leads_to(&state) {
                return;
            }
            view.since = self.host.clock.now();
            if state == State::Ready && view.ready_at.is_none() {
                view.ready_at = Some(view.since);
            }
            view.state = state;
        }
        (self.changed)();
    }

    fn running(&self) -> Result<&Arc<Sandbox>, EngineError> {
        self.sandbox.get().ok_or(EngineError::WrongState)
    }

    pub(crate) async fn connect(&self) -> Result<TcpStream, EngineError> {
        let state = self.locked().state.clone();
        match state {
            State::Ready => {}
            State::Stopping | State::Stopped { .. } => return Err(EngineError::NoInstance),
            _ => return Err(EngineError::WrongState),
        }
        let first = self.first.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some((first, _)) = first.filter(|(_, at)| at.elapsed() < FIRST_IS_FRESH) {
            return Ok(first);
        }
        self.running()?.link.connect().await.map_err(EngineError::Connect)
    }

    pub(crate) async fn freeze(&self) -> Result<(), EngineError> {
        let _transition = self.transition.lock().await;
        if !self.is_ready() {
            return Err(EngineError::WrongState);
        }
        let sandbox = self.running()?;
        self.first.lock().unwrap_or_else(PoisonError::into_inner).take();
        sandbox.freeze().await.map_err(EngineError::Io)?;
        self.enter(State::Frozen);
        Ok(())
    }

    pub(crate) async fn thaw(&self) -> Result<(), EngineError> {
        let _transition = self.transition.lock().await;
        if self.locked().state != State::Frozen {
            return if self.is_ready() { Ok(()) } else { Err(EngineError::WrongState) };
        }
        self.running()?.thaw().await.map_err(EngineError::Io)?;
        self.enter(State::Ready);
        Ok(())
    }

    pub(crate) fn logs(&self, after: u64) -> LogPage {
        match self.sandbox.get() {
            Some(sandbox) => output::locked(&sandbox.log).after(after, LOG_LINES),
            None => LogPage::default(),
        }
    }

    /// From pending to stopped.
    pub(crate) async fn live(&self, version: &Arc<Version>, prepared: &Arc<Prepared>, pool: &Arc<Pool>) {
        let reason = tokio::select! {
            reason = self.start_and_serve(version, prepared, pool) => reason,
            () = self.stop.cancelled() => StopReason::Asked,
        };
        if let Some(sandbox) = self.sandbox.get() {
            if reason == StopReason::Asked && self.view().ready_at.is_some() {
                self.end_gently(version, sandbox).await;
            }
            sandbox.end().await;
        }
        self.enter(State::Stopped { reason });
    }

    async fn start_and_serve(&self, version: &Arc<Version>, prepared: &Arc<Prepared>, pool: &Arc<Pool>) -> StopReason {
        let wanted = Instant::now();
        // Before its turn, as a look at a large one takes a while.
        if let Err(reason) = room(&self.host, version).await {
            return reason;
        }
        let Ok(turn) = self.host.starts.acquire().await else { return StopReason::Asked };
        self.locked().cold_start.queue = wanted.elapsed();
        self.enter(State::Starting);
        let limit = tokio::time::sleep(version.spec.timeouts.start());
        let started = tokio::select! {
            started = self.start(version, prepared, pool) => started,
            () = limit => Err(StopReason::StartTimeout),
        };
        drop(turn);
        let (prepared, pool) = (Arc::clone(prepared), Arc::clone(pool));
        self.host.tracker.spawn(async move {
            // Not before it has answered, as that would take from what it needs.
            tokio::time::sleep(TO_ANSWER).await;
            prepared.fill();
            pool.fill();
        });
        if let Err(reason) = started {
            return reason;
        }
        let Ok(sandbox) = self.running() else { return StopReason::Asked };
        self.enter(State::Ready);
        tokio::select! {
            gone = sandbox.link.gone() => {
                if sandbox.group.killed_for_memory() > 0 {
                    StopReason::OutOfMemory
                } else {
                    StopReason::Exited { status: status(gone) }
                }
            }
            () = self.until_unwell(version, sandbox) => StopReason::Unhealthy,
            reason = self.until_full(version, sandbox) => {
                Complaints::into(&sandbox.log, &self.host.clock).say(&format!("it is ended, as {reason}"));
                // Whoever waits for an answer looks for the reason, which comes when all of it has ended.
                self.enter(State::Stopping);
                reason
            }
            error = hold_to_processor(version, sandbox) => StopReason::Sandbox { detail: error.to_string() },
        }
    }

    async fn until_unwell(&self, version: &Version, sandbox: &Sandbox) {
        match &version.spec.health {
            Some(check) => health::until_unwell(sandbox, check, || self.is_ready()).await,
            None => std::future::pending().await,
        }
    }

    /// Returns when a volume that it writes to is full. What is frozen writes nothing.
    async fn until_full(&self, version: &Arc<Version>, sandbox: &Arc<Sandbox>) -> StopReason {
        if version.spec.volumes.iter().all(|volume| volume.read_only) {
            return std::future::pending().await;
        }
        let mut pause = measuring::good_for(Duration::ZERO);
        loop {
            tokio::time::sleep(pause).await;
            if !self.is_ready() {
                continue;
            }
            let named = match room(&self.host, version).await {
                Ok(named) => named,
                Err(reason) => return reason,
            };
            let began = Instant::now();
            if let Err(reason) = room_with_nameless(&self.host, version, sandbox, named).await {
                return reason;
            }
            pause = measuring::good_for(began.elapsed());
        }
    }

    async fn start(
        &self,
        version: &Arc<Version>,
        prepared: &Arc<Prepared>,
        pool: &Arc<Pool>,
    ) -> Result<(), StopReason> {
        let began = Instant::now();
        let (sandbox, from_pool) = self.obtain(version, prepared, pool).await?;
        {
            let mut view = self.locked();
            let made = if from_pool { Duration::ZERO } else { sandbox.locked_after };
            view.cold_start.from_pool = from_pool;
            view.cold_start.sandbox = made;
            view.cold_start.spawn = began.elapsed().saturating_sub(made);
        }
        // Its processes are only this instance's from here on: whatever happens, `live` ends them.
        let sandbox = Arc::clone(self.sandbox.get_or_init(|| Arc::new(sandbox)));
        if let Some(ways) = Ways::of(&self.host, version.id.as_str(), Wanted::by_spec(&version.spec), &sandbox.log) {
            sandbox.let_out(ways);
        }
        let started = Instant::now();
        tokio::select! {
            biased;
            ready = self.make_ready(version, &sandbox) => ready?,
            gone = sandbox.link.gone() => {
                return Err(if sandbox.group.killed_for_memory() > 0 {
                    StopReason::OutOfMemory
                } else {
                    StopReason::ExitedEarly { status: status(gone) }
                });
            }
        }
        self.locked().cold_start.init = started.elapsed();
        Ok(())
    }

    /// A sandbox in which the version's command runs, and whether it had waited for it. One that comes after this was given
    /// up is ended.
    async fn obtain(
        &self,
        version: &Arc<Version>,
        prepared: &Arc<Prepared>,
        pool: &Arc<Pool>,
    ) -> Result<(Sandbox, bool), StopReason> {
        let (answer, answered) = oneshot::channel();
        let (host, version, id) = (Arc::clone(&self.host), Arc::clone(version), self.id.clone());
        let (prepared, pool) = (Arc::clone(prepared), Arc::clone(pool));
        self.host.tracker.spawn(async move {
            let claimed = match prepared.claim().await {
                None => pool.claim(&version).await,
                claimed => claimed,
            };
            let made = match claimed {
                Some(claimed) => Ok((claimed, true)),
                None => make(&host, &version, id.as_str()).await.map(|made| (made, false)),
            };
            if let Err(Ok((unwanted, _))) = answer.send(made) {
                unwanted.end().await;
            }
        });
        answered.await.unwrap_or(Err(StopReason::Asked))
    }

    async fn make_ready(&self, version: &Version, sandbox: &Sandbox) -> Result<(), StopReason> {
        let Some(first) = sandbox.listening().await else {
            // Its end has a better reason.
            return std::future::pending().await;
        };
        *self.first.lock().unwrap_or_else(PoisonError::into_inner) = Some((first, Instant::now()));
        if let Some(check) = &version.spec.health {
            self.first.lock().unwrap_or_else(PoisonError::into_inner).take();
            health::until_well(sandbox, check).await;
        }
        if let Some(Hook { command, timeout_ms }) = &version.spec.initializer {
            let ended = sandbox.link.hook(command, Duration::from_millis(*timeout_ms)).await;
            match ended {
                Ok(Ended::Code(0)) => {}
                Ok(ended) => return Err(StopReason::Initializer { status: words(ended) }),
                Err(_) => return std::future::pending().await,
            }
        }
        Ok(())
    }

    /// SIGTERM and the hook, and as long as the function may take.
    async fn end_gently(&self, version: &Version, sandbox: &Sandbox) {
        let _transition = self.transition.lock().await;
        let frozen = self.locked().state == State::Frozen;
        self.enter(State::Stopping);
        if frozen && sandbox.thaw().await.is_err() {
            return;
        }
        let hook = version.spec.pre_stop.as_ref().map(|hook| (hook.command.as_slice(), hook.timeout()));
        let ending = async {
            if let Ok(Some(ended)) = sandbox.link.terminate(hook).await
                && ended != Ended::Code(0)
            {
                tracing::info!(instance = self.id.as_str(), ended = words(ended), "a pre-stop command failed");
            }
            sandbox.link.gone().await
        };
        // Past it, it is killed.
        let _ = tokio::time::timeout(version.spec.stop_grace(), ending).await;
    }
}

/// Returns when that fails only.
async fn hold_to_processor(version: &Version, sandbox: &Sandbox) -> std::io::Error {
    tokio::time::sleep(BOOST).await;
    match sandbox.group.limit_cpu(version.spec.cpu_millis) {
        Ok(()) => std::future::pending().await,
        Err(error) => error,
    }
}

/// Whether there is room in all that it writes to, and what is in there together.
async fn room(host: &Host, version: &Version) -> Result<u64, StopReason> {
    let mut bytes = 0u64;
    for (volume, key) in version.spec.volumes.iter().zip(&version.volumes).filter(|(volume, _)| !volume.read_only) {
        let missing = || StopReason::VolumeMissing { volume: volume.volume.clone() };
        let all = host.options.volumes.as_ref().ok_or_else(missing)?;
        match all.measure(*key).await {
            Ok(measured) => {
                let most = all.most_bytes(*key).ok_or_else(missing)?;
                bytes = bytes.saturating_add(measured.bytes);
                if let Some(detail) = measured.fault(most) {
                    return Err(StopReason::VolumeFull { volume: volume.volume.clone(), detail });
                }
            }
            Err(VolumeError::Missing) => return Err(missing()),
            Err(error) => return Err(StopReason::Sandbox { detail: stoa_egress::describe(&error) }),
        }
    }
    Ok(bytes)
}

/// Whether there still is with what the instance keeps in files that it has open and whose names it has taken away. In which
/// volume they were, nobody can tell; so all are taken together.
async fn room_with_nameless(
    host: &Arc<Host>,
    version: &Arc<Version>,
    sandbox: &Arc<Sandbox>,
    named: u64,
) -> Result<(), StopReason> {
    let Some(all) = host.options.volumes.clone() else { return Ok(()) };
    let written = version.spec.volumes.iter().zip(&version.volumes).filter(|(volume, _)| !volume.read_only);
    let (volumes, keys): (Vec<_>, Vec<_>) = written.map(|(volume, key)| (volume.volume.clone(), *key)).unzip();
    let most = keys.iter().filter_map(|key| all.most_bytes(*key)).fold(0, u64::saturating_add);
    let sandbox = Arc::clone(sandbox);
    let looked = tokio::task::spawn_blocking(move || all.nameless(&keys, &sandbox.group.processes())).await;
    let bytes = match looked.map_err(std::io::Error::other) {
        Ok(Ok(bytes)) => named.saturating_add(bytes),
        Ok(Err(error)) => return Err(StopReason::Sandbox { detail: stoa_egress::describe(&error) }),
        Err(error) => return Err(StopReason::Sandbox { detail: error.to_string() }),
    };
    if bytes <= most {
        return Ok(());
    }
    let detail = format!("with files that have no name any more it takes {} of {} MiB", bytes >> 20, most >> 20);
    Err(StopReason::VolumeFull { volume: volumes.join("`, `"), detail })
}

async fn make(host: &Arc<Host>, version: &Arc<Version>, name: &str) -> Result<Sandbox, StopReason> {
    let request = if version.volumes.is_empty() {
        plan::request(host, version, name)
    } else {
        // They may lie beyond a network.
        let (host, version, name) = (Arc::clone(host), Arc::clone(version), name.to_owned());
        let asked = tokio::task::spawn_blocking(move || plan::request(&host, &version, &name)).await;
        asked.unwrap_or_else(|error| Err(StopReason::Sandbox { detail: error.to_string() }))
    };
    let request = request?;
    Sandbox::make(host, request).await.map_err(|error| match error {
        MakeError::Failed(failure @ Failure::Command { .. }) => StopReason::ExitedEarly { status: failure.to_string() },
        error => StopReason::Sandbox { detail: error.to_string() },
    })
}

pub(crate) fn status(gone: Gone) -> String {
    gone.0.map_or_else(|| "killed".to_owned(), words)
}

fn words(ended: Ended) -> String {
    match ended {
        Ended::Code(code) => format!("status {code}"),
        Ended::Signal(signal) => format!("signal {signal}"),
        Ended::NotStarted { errno } => format!("not started, error {errno}"),
    }
}
