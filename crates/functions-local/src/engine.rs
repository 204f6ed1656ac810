//! The engine: versions, how many instances each shall have, and those that there are.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use async_trait::async_trait;
use stoa_functions::{
    Capabilities, Connection, Engine, EngineError, Instance, InstanceId, Isolation, LogPage, Scale, Version, VersionId,
};
use stoa_model::Clock;
use tokio::sync::watch;
use tokio_util::task::TaskTracker;

use crate::build::Clients;
use crate::host::{Host, StartError};
use crate::instance::Handle;
use crate::jobs::Jobs;
use crate::options::Options;
use crate::pool::Pool;
use crate::prepared::Prepared;
use crate::ways::Wanted;

/// Instances that have ended are shown, with their logs, until so many more of the version have.
const ENDED_SHOWN: usize = 16;

/// Functions on this machine. [`LocalEngine::shut_down`] waits until they have ended; dropping it lets them end by themselves.
pub struct LocalEngine {
    pub(crate) host: Arc<Host>,
    capabilities: Capabilities,
    pool: Arc<Pool>,
    versions: RwLock<HashMap<VersionId, Arc<Running>>>,
    made: AtomicU64,
    pub(crate) tracker: TaskTracker,
    pub(crate) jobs: Arc<Jobs>,
    pub(crate) clients: Clients,
}

/// A version and its instances.
struct Running {
    version: Arc<Version>,
    prepared: Arc<Prepared>,
    handles: Mutex<Handles>,
    shown: watch::Sender<Arc<[Instance]>>,
}

#[derive(Default)]
struct Handles {
    all: Vec<Arc<Handle>>,
    /// Nothing starts any more.
    closed: bool,
}

impl Running {
    fn handles(&self) -> std::sync::MutexGuard<'_, Handles> {
        self.handles.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn show(&self) {
        let handles = self.handles();
        self.shown.send_replace(handles.all.iter().map(|handle| handle.view()).collect());
    }

    fn close(&self) {
        let mut handles = self.handles();
        handles.closed = true;
        for handle in &handles.all {
            handle.stop();
        }
    }
}

impl LocalEngine {
    /// Must be called inside a tokio runtime. Takes `options.folder`, clears what a dead engine left, and tries a sandbox.
    pub async fn start(options: Options, clock: Arc<dyn Clock>) -> Result<Arc<Self>, StartError> {
        let tracker = TaskTracker::new();
        let (host, capabilities) = Host::find(options, clock, tracker.clone()).await?;
        let pool = Pool::new(Arc::clone(&host));
        pool.fill();
        let jobs = Arc::new(Jobs::new(host.options.jobs_at_once));
        Ok(Arc::new(Self {
            host,
            capabilities,
            pool,
            versions: RwLock::default(),
            made: AtomicU64::new(0),
            tracker,
            jobs,
            clients: Clients::default(),
        }))
    }

    pub(crate) fn isolation(&self) -> Isolation {
        self.capabilities.isolation
    }

    /// How many interpreters wait for any code.
    pub fn waiting(&self) -> usize {
        self.pool.waiting()
    }

    /// How many wait for this version.
    pub fn prepared(&self, version: &VersionId) -> usize {
        self.running(version).map_or(0, |running| running.prepared.waiting())
    }

    /// Ends all instances as their versions say, and all jobs, and returns when nothing is left of them.
    pub async fn shut_down(&self) {
        let versions: Vec<_> = self.versions.write().unwrap_or_else(PoisonError::into_inner).drain().collect();
        for (_, running) in versions {
            running.close();
            running.prepared.close().await;
        }
        self.jobs.cancel.cancel();
        self.pool.close().await;
        self.tracker.close();
        self.tracker.wait().await;
        for group in self.host.groups.folders() {
            if let Err(error) = std::fs::remove_dir(group) {
                tracing::warn!(%error, group = %group.display(), "a control group is left over");
            }
        }
    }

    fn running(&self, version: &VersionId) -> Result<Arc<Running>, EngineError> {
        let versions = self.versions.read().unwrap_or_else(PoisonError::into_inner);
        versions.get(version).map(Arc::clone).ok_or(EngineError::NoVersion)
    }

    fn handle(&self, instance: &InstanceId) -> Result<Arc<Handle>, EngineError> {
        let versions = self.versions.read().unwrap_or_else(PoisonError::into_inner);
        let found = versions
            .values()
            .find_map(|running| running.handles().all.iter().find(|handle| handle.id == *instance).map(Arc::clone));
        found.ok_or(EngineError::NoInstance)
    }

    fn begin(&self, running: &Arc<Running>) {
        let number = self.made.fetch_add(1, Ordering::Relaxed) + 1;
        let id = InstanceId::new(&format!("{}-{number}", running.version.id));
        let shown = Arc::downgrade(running);
        let changed = move || {
            if let Some(running) = shown.upgrade() {
                running.show();
            }
        };
        let handle = Arc::new(Handle::new(id, Arc::clone(&self.host), changed));
        {
            let mut handles = running.handles();
            if handles.closed {
                return;
            }
            handles.all.push(Arc::clone(&handle));
        }
        let (running, pool) = (Arc::clone(running), Arc::clone(&self.pool));
        self.tracker.spawn(async move {
            handle.live(&running.version, &running.prepared, &pool).await;
            let handles = &mut running.handles().all;
            let ended = handles.iter().filter(|handle| handle.is_over()).count();
            let mut surplus = ended.saturating_sub(ENDED_SHOWN);
            handles.retain(|handle| {
                let goes = surplus > 0 && handle.is_over();
                surplus -= usize::from(goes);
                !goes
            });
        });
    }
}

impl Drop for LocalEngine {
    fn drop(&mut self) {
        self.jobs.cancel.cancel();
        for running in self.versions.write().unwrap_or_else(PoisonError::into_inner).values() {
            running.close();
        }
    }
}

#[async_trait]
impl Engine for LocalEngine {
    fn capabilities(&self) -> Capabilities {
        self.capabilities.clone()
    }

    async fn apply(&self, version: Version) -> Result<(), EngineError> {
        let missing = self.capabilities.isolation.missing(version.spec.isolation);
        if !missing.is_empty() {
            return Err(EngineError::Isolation { missing });
        }
        if version.spec.needs_a_way_out() && self.host.options.way_out.is_none() {
            return Err(EngineError::Unsupported { what: "a way out" });
        }
        if Wanted::by_spec(&version.spec).nowhere().is_some() {
            return Err(EngineError::Unsupported { what: "a binding to a host that no name can lead to" });
        }
        self.host.admit_volumes(&version)?;
        let found = std::fs::symlink_metadata(&version.code).map_err(EngineError::Folder)?;
        if !found.is_dir() {
            return Err(EngineError::Folder(std::io::ErrorKind::NotADirectory.into()));
        }
        if self.tracker.is_closed() {
            return Err(EngineError::ShuttingDown);
        }
        let mut versions = self.versions.write().unwrap_or_else(PoisonError::into_inner);
        versions.entry(version.id.clone()).or_insert_with(|| {
            let (shown, _) = watch::channel(Arc::from([]));
            let version = Arc::new(version);
            let prepared = Arc::new(Prepared::of(&self.host, &version));
            prepared.fill_soon();
            Arc::new(Running { version, prepared, handles: Mutex::default(), shown })
        });
        Ok(())
    }

    async fn scale(&self, version: &VersionId, scale: Scale) -> Result<(), EngineError> {
        let running = self.running(version)?;
        let wanted = usize::try_from(scale.instances).unwrap_or(usize::MAX);
        let mut staying: Vec<_> = running.handles().all.iter().filter(|handle| handle.is_staying()).cloned().collect();
        for _ in staying.len()..wanted {
            self.begin(&running);
        }
        // Those that are named first, then those that serve nobody yet, the youngest first.
        staying.sort_by_key(|handle| (!scale.leaving.contains(&handle.id), handle.view().ready_at.is_some()));
        let surplus = staying.len().saturating_sub(wanted);
        for handle in staying.iter().take(surplus) {
            handle.stop();
        }
        running.show();
        Ok(())
    }

    fn instances(&self, version: &VersionId) -> Result<watch::Receiver<Arc<[Instance]>>, EngineError> {
        Ok(self.running(version)?.shown.subscribe())
    }

    async fn connect(&self, instance: &InstanceId) -> Result<Box<dyn Connection>, EngineError> {
        let connection = self.handle(instance)?.connect().await?;
        Ok(Box::new(connection))
    }

    async fn freeze(&self, instance: &InstanceId) -> Result<bool, EngineError> {
        self.handle(instance)?.freeze().await.map(|()| true)
    }

    async fn thaw(&self, instance: &InstanceId) -> Result<(), EngineError> {
        self.handle(instance)?.thaw().await
    }

    async fn logs(&self, instance: &InstanceId, after: u64) -> Result<LogPage, EngineError> {
        Ok(self.handle(instance)?.logs(after))
    }

    async fn delete(&self, version: &VersionId) -> Result<(), EngineError> {
        let running = self.versions.write().unwrap_or_else(PoisonError::into_inner).remove(version);
        let running = running.ok_or(EngineError::NoVersion)?;
        running.close();
        self.tracker.spawn(async move { running.prepared.close().await });
        Ok(())
    }
}
