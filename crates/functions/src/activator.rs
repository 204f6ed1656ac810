//! Who gets which instance: holds requests while none is there, starts what is needed, and lets none be lost on the way.
//!
//! Every version has a [`Lane`]. A task of its own looks at the instances and at the load, and says to the engine how many
//! there shall be.

mod keeper;
mod lane;
mod queue;
mod seats;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::{CallError, Engine, EngineError, StopReason, Version, VersionId};

pub use lane::{Lane, Lease, Rejected, Served, Taken};

#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Requests that may wait for one version.
    pub queue: usize,
    /// How long a request waits at most, unless the version takes longer to start.
    pub hold: Duration,
    /// How often the load is looked at while there is any.
    pub tick: Duration,
    /// The first pause after a start that failed, which doubles with each in a row.
    pub pause: Duration,
    pub longest_pause: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            queue: 1_000,
            hold: Duration::from_mins(1),
            tick: Duration::from_secs(1),
            pause: Duration::from_secs(1),
            longest_pause: Duration::from_mins(1),
        }
    }
}

/// Why a request was not served.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    #[error("too many requests wait for this function already")]
    QueueFull,
    #[error("no instance took the request in time")]
    Deadline,
    #[error("the function does not start: {reason}")]
    StartFailed {
        reason: StopReason,
        /// The end of what it wrote.
        log: String,
        /// When it is tried again.
        retry_after: Duration,
    },
    /// Another version serves in its place: whoever chose this one chooses again.
    #[error("this version is not served any more")]
    Retired,
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error(transparent)]
    Call(#[from] CallError),
}

/// All versions that are served.
pub struct Activator {
    engine: Arc<dyn Engine>,
    options: Options,
    tracker: TaskTracker,
    lanes: Mutex<HashMap<VersionId, Kept>>,
    /// The tasks of all lanes, those of versions that are on their way out included.
    keepers: TaskTracker,
    closed: CancellationToken,
}

struct Kept {
    lane: Arc<Lane>,
    keeper: JoinHandle<()>,
}

impl Activator {
    /// What it starts runs on the tracker.
    pub fn new(engine: Arc<dyn Engine>, options: Options, tracker: TaskTracker) -> Self {
        let (keepers, closed) = (TaskTracker::new(), CancellationToken::new());
        Self { engine, options, tracker, lanes: Mutex::default(), keepers, closed }
    }

    fn lanes(&self) -> std::sync::MutexGuard<'_, HashMap<VersionId, Kept>> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Serves a version from here on. Again with the same is nothing.
    pub async fn serve(&self, version: Version) -> Result<Arc<Lane>, EngineError> {
        if let Some(lane) = self.lane(&version.id) {
            return Ok(lane);
        }
        self.engine.apply(version.clone()).await?;
        let seen = self.engine.instances(&version.id)?;
        let mut lanes = self.lanes();
        if let Some(kept) = lanes.get(&version.id) {
            return Ok(Arc::clone(&kept.lane));
        }
        let id = version.id.clone();
        let (engine, tracker) = (Arc::clone(&self.engine), self.tracker.clone());
        let lane = Lane::new(version, engine, self.options, tracker, self.closed.child_token());
        let keeper = self.tracker.spawn(self.keepers.track_future(keeper::keep(Arc::clone(&lane), seen)));
        lanes.insert(id, Kept { lane: Arc::clone(&lane), keeper });
        Ok(lane)
    }

    pub fn lane(&self, version: &VersionId) -> Option<Arc<Lane>> {
        self.lanes().get(version).map(|kept| Arc::clone(&kept.lane))
    }

    /// All that are served.
    pub fn all(&self) -> Vec<Arc<Lane>> {
        self.lanes().values().map(|kept| Arc::clone(&kept.lane)).collect()
    }

    /// Takes no new request for a version, serves those that it has, those that wait included, and then deletes it.
    pub async fn retire(&self, version: &VersionId) -> Result<(), EngineError> {
        self.release(version).await?;
        self.engine.delete(version).await
    }

    /// As long as it takes to serve what there is; whoever calls this deletes the version.
    pub async fn release(&self, version: &VersionId) -> Result<(), EngineError> {
        let Some(Kept { lane, keeper }) = self.lanes().remove(version) else { return Err(EngineError::NoVersion) };
        lane.drain().await;
        lane.over.cancel();
        // Nobody says any more how many instances there shall be of what is deleted next.
        if let Err(error) = keeper.await {
            tracing::warn!(%error, version = version.as_str(), "the task of a version has failed");
        }
        Ok(())
    }

    /// Starts and stops nothing any more, whatever waits: the engine goes.
    pub async fn close(&self) {
        self.closed.cancel();
        self.keepers.close();
        self.keepers.wait().await;
    }
}
