//! Jobs: commands that run once, in the same sandbox as functions, and leave files behind.

mod disk;
mod life;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use serde::Serialize;
use stoa_functions::spec::{HostPattern, Network};
use stoa_functions::{EngineError, Isolation, LogPage};
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;

use crate::engine::LocalEngine;
use crate::host::Host;
use crate::output::{self, Log};

#[derive(Clone, Debug)]
pub struct Job {
    /// For the way out, and for people. Need not be unique.
    pub name: String,
    pub command: Vec<String>,
    /// At `/code`, to be read.
    pub files: JobFiles,
    /// At `/out`, to be written: an empty folder. What is left in it is foreign; read it with [`crate::Tree`].
    pub output: PathBuf,
    /// At `/cache`, to be written, and emptied once it is larger than what a job may write. One job at a time has it;
    /// others wait. Whoever may write to it decides what later jobs find there, so it is shared within one owner only.
    pub cache: Option<PathBuf>,
    pub environment: BTreeMap<String, String>,
    pub network: Network,
    pub limits: JobLimits,
    pub isolation: Isolation,
}

impl Job {
    pub const OUTPUT: &str = "/out";
    pub const CACHE: &str = "/cache";
    /// For temporary files, which go with it: its home as well.
    pub const SCRATCH: &str = "/scratch";
}

#[derive(Clone, Debug)]
pub enum JobFiles {
    /// A folder that nobody changes. Its files must be readable by others than their owner.
    Folder(PathBuf),
    /// By their names, all in one folder.
    These(BTreeMap<String, Vec<u8>>),
}

#[derive(Clone, Copy, Debug)]
pub struct JobLimits {
    /// In thousandths of a processor.
    pub cpu_millis: u32,
    pub memory_bytes: u64,
    /// All that it writes: output, temporary files, and what the cache grows by.
    pub disk_bytes: u64,
    pub files: u64,
    /// From its turn to its end.
    pub deadline: Duration,
}

impl Default for JobLimits {
    fn default() -> Self {
        Self {
            cpu_millis: 2_000,
            memory_bytes: 2 << 30,
            disk_bytes: 4 << 30,
            files: 200_000,
            deadline: Duration::from_mins(10),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum JobState {
    /// For its turn, or for its cache.
    Waiting,
    Running,
    Over {
        #[serde(flatten)]
        outcome: JobOutcome,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(rename_all = "snake_case", tag = "outcome")]
pub enum JobOutcome {
    #[error("it is done")]
    Done,
    #[error("its command failed ({status})")]
    Failed { status: String },
    #[error("it took longer than it may")]
    Deadline,
    #[error("it needed more memory than it has")]
    OutOfMemory,
    #[error("it wrote more than it may: {detail}")]
    OutOfDisk { detail: String },
    #[error("it was cancelled")]
    Cancelled,
    #[error("its sandbox could not be made: {detail}")]
    Sandbox { detail: String },
}

/// A job that waits, runs, or is over. It goes on when this is dropped.
#[derive(Clone, Debug)]
pub struct JobHandle(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: watch::Sender<JobState>,
    log: OnceLock<Log>,
    cancel: CancellationToken,
}

/// Lines that one look at the log gets.
const LOG_LINES: usize = 1_000;

impl JobHandle {
    fn new(cancel: CancellationToken) -> Self {
        Self(Arc::new(Shared { state: watch::Sender::new(JobState::Waiting), log: OnceLock::new(), cancel }))
    }

    /// Now, and whenever it changes.
    pub fn state(&self) -> watch::Receiver<JobState> {
        self.0.state.subscribe()
    }

    /// Lines after a number.
    pub fn logs(&self, after: u64) -> LogPage {
        self.0.log.get().map(|log| output::locked(log).after(after, LOG_LINES)).unwrap_or_default()
    }

    pub fn cancel(&self) {
        self.0.cancel.cancel();
    }

    /// Returns when it is over and nothing of it runs any more.
    pub async fn outcome(&self) -> JobOutcome {
        let mut state = self.state();
        match state.wait_for(|state| matches!(state, JobState::Over { .. })).await.as_deref() {
            Ok(JobState::Over { outcome }) => outcome.clone(),
            _ => JobOutcome::Cancelled,
        }
    }

    fn enter(&self, state: JobState) {
        self.0.state.send_replace(state);
    }
}

/// Of an engine.
#[derive(Debug)]
pub(crate) struct Jobs {
    turns: Semaphore,
    caches: Mutex<BTreeMap<PathBuf, Arc<tokio::sync::Mutex<()>>>>,
    made: std::sync::atomic::AtomicU64,
    /// All of them.
    pub(crate) cancel: CancellationToken,
}

impl Jobs {
    pub(crate) fn new(at_once: usize) -> Self {
        Self {
            turns: Semaphore::new(at_once.max(1)),
            caches: Mutex::default(),
            made: std::sync::atomic::AtomicU64::new(0),
            cancel: CancellationToken::new(),
        }
    }

    fn cache(&self, folder: &std::path::Path) -> Arc<tokio::sync::Mutex<()>> {
        let mut caches = self.caches.lock().unwrap_or_else(PoisonError::into_inner);
        // Nobody has those.
        caches.retain(|_, cache| Arc::strong_count(cache) > 1);
        Arc::clone(caches.entry(folder.to_owned()).or_default())
    }

    /// No instance is called so.
    fn name(&self) -> String {
        format!("job.{}", self.made.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1)
    }
}

impl LocalEngine {
    /// Begins a job as soon as it is its turn. What it cannot be given is refused at once.
    pub fn run_job(&self, job: Job) -> Result<JobHandle, EngineError> {
        let missing = self.isolation().missing(job.isolation);
        if !missing.is_empty() {
            return Err(EngineError::Isolation { missing });
        }
        if job.network != Network::None && self.host.options.way_out.is_none() {
            return Err(EngineError::Unsupported { what: "a way out" });
        }
        if let Network::Proxy { allowed } = &job.network
            && allowed.iter().any(|host| host.parse::<HostPattern>().is_err())
        {
            return Err(EngineError::Unsupported { what: "a way to what is no host" });
        }
        if self.jobs.cancel.is_cancelled() {
            return Err(EngineError::ShuttingDown);
        }
        let handle = JobHandle::new(self.jobs.cancel.child_token());
        let (host, jobs, running): (Arc<Host>, _, _) = (Arc::clone(&self.host), Arc::clone(&self.jobs), handle.clone());
        self.tracker.spawn(async move {
            let outcome = life::live(&host, &jobs, &job, &running).await;
            running.enter(JobState::Over { outcome });
        });
        Ok(handle)
    }
}
