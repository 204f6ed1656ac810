//! Brings models from registries into the store and sends them there: Ollama's protocol, which is that of OCI registries.
//!
//! `registry.ollama.ai`, `hf.co`, and any plain OCI registry (Distribution, Harbor, Zot) are spoken to alike. Everything
//! goes out through [`Egress`], so that a model's name cannot lead to where no administrator allowed it to lead.

mod access;
mod challenge;
mod download;
mod error;
mod event;
mod key;
mod options;
mod pull;
mod push;
mod repository;
mod watch;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use futures_util::stream::BoxStream;
use stoa_egress::Egress;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::store::{ModelName, Store};
use repository::{Repository, Rights};
use watch::Work;

pub use access::{Access, Credentials};
pub use error::RegistryError;
pub use event::{PullEvent, PushEvent};
pub use key::{KeyError, SigningKey};
pub use options::RegistryOptions;

/// What a pull or push says while it runs. It ends after the first error or with `Success`. Dropping it leaves the work;
/// work that everybody has left stops, and what it has brought is kept for the next.
pub type Events<E> = BoxStream<'static, Result<E, Arc<RegistryError>>>;

/// The door to all registries. Cheap to clone.
#[derive(Clone)]
pub struct Registries {
    inner: Arc<Inner>,
}

type Pulls = HashMap<ModelName, Weak<Work<PullEvent>>>;

struct Inner {
    egress: Egress,
    store: Arc<Store>,
    options: RegistryOptions,
    /// One for each connection that brings a part of a blob.
    connections: Semaphore,
    /// What runs, so that several who want one model watch one pull.
    pulls: Mutex<Pulls>,
    tracker: TaskTracker,
    /// The pulls and pushes alone, so that shutdown can wait for them.
    tasks: TaskTracker,
    shutdown: CancellationToken,
}

impl Registries {
    /// `tracker` runs every task.
    pub fn new(egress: Egress, store: Arc<Store>, options: RegistryOptions, tracker: TaskTracker) -> Self {
        Self {
            inner: Arc::new(Inner {
                egress,
                store,
                connections: Semaphore::new(options.connections.max(1)),
                options,
                pulls: Mutex::default(),
                tracker,
                tasks: TaskTracker::new(),
                shutdown: CancellationToken::new(),
            }),
        }
    }

    /// Brings a model into the store under its own name; a model that had the name loses it. Who asks for what is being
    /// pulled already watches that pull, from its beginning. Must be called inside a tokio runtime.
    pub fn pull(&self, name: &ModelName) -> Events<PullEvent> {
        let mut pulls = self.pulls();
        if let Some(work) = running(&pulls, name) {
            return watch::events(work);
        }
        let (work, report) = Work::begin(&self.inner.shutdown);
        pulls.insert(name.clone(), Arc::downgrade(&work));
        let (inner, name) = (Arc::clone(&self.inner), name.clone());
        self.run(report.run(move |report| async move { pull::run(&inner, &name, &report).await }));
        watch::events(work)
    }

    /// What a pull that runs says, from its beginning; `None` when nobody is pulling that model here.
    pub fn watch(&self, name: &ModelName) -> Option<Events<PullEvent>> {
        running(&self.pulls(), name).map(watch::events)
    }

    /// The models that are being pulled here.
    pub fn running(&self) -> Vec<ModelName> {
        self.pulls().keys().cloned().collect()
    }

    /// Those pulls that have not ended.
    fn pulls(&self) -> MutexGuard<'_, Pulls> {
        let mut pulls = self.inner.pulls.lock().unwrap_or_else(PoisonError::into_inner);
        pulls.retain(|_, work| work.upgrade().is_some_and(|work| !work.has_ended()));
        pulls
    }

    /// Sends a model of the store to the registry that its name says.
    pub fn push(&self, name: &ModelName) -> Events<PushEvent> {
        let (work, report) = Work::begin(&self.inner.shutdown);
        let (inner, name) = (Arc::clone(&self.inner), name.clone());
        self.run(report.run(move |report| async move { push::run(&inner, &name, &report).await }));
        watch::events(work)
    }

    pub fn store(&self) -> &Arc<Store> {
        &self.inner.store
    }

    /// Stops what runs and waits for it. What has been brought so far is kept.
    pub async fn shutdown(&self) {
        self.inner.shutdown.cancel();
        self.inner.tasks.close();
        self.inner.tasks.wait().await;
    }

    fn run(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.inner.tracker.spawn(self.inner.tasks.track_future(work));
    }
}

fn running(pulls: &Pulls, name: &ModelName) -> Option<Arc<Work<PullEvent>>> {
    pulls.iter().find(|(running, _)| running.is_same(name)).and_then(|(_, work)| work.upgrade())
}

impl Inner {
    fn repository(&self, name: &ModelName, rights: Rights) -> Result<Repository, RegistryError> {
        Repository::new(&self.egress, &self.options, name, rights)
    }
}

impl std::fmt::Debug for Registries {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registries").field("running", &self.inner.tasks.len()).finish_non_exhaustive()
    }
}
