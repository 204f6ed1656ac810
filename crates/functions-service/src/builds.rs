//! Packages that functions need: built once by what asks for them, kept in the object store so that a version stays what it
//! was, and unpacked on this machine as long as there is room.

mod pack;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use stoa_functions_local::build::{BuildOptions, BuildTarget, Dependencies, MANIFESTS};
use stoa_functions_local::{JobHandle, JobOutcome, JobState, LocalEngine};
use stoa_model::{Clock, FunctionId, Timestamp};
use stoa_objects::Objects;
use stoa_storage::Database;
use tokio::sync::OnceCell;

pub(crate) use pack::lay_over;

use crate::code::Code;
use crate::service::ServiceError;

/// Lines of the log that a failed build is told with.
const TAIL_LINES: usize = 30;
/// Tries, and the pause between them, while the same bytes are just being removed.
const CLAIMS: u32 = 20;
const CLAIM_PAUSE: Duration = Duration::from_millis(200);
const NOT_AGAIN_FOR: Duration = Duration::from_secs(15);

/// How a build of a function stands.
#[derive(Clone, Debug)]
pub struct BuildStatus {
    pub state: JobState,
    pub started_at: Timestamp,
    /// Of its log, from its beginning.
    pub log: stoa_functions::LogPage,
}

pub(crate) struct Builds {
    database: Database,
    objects: Objects,
    clock: Arc<dyn Clock>,
    options: BuildOptions,
    /// Unpacked packages by their keys, and what is being made. Nothing in it need be kept.
    folder: PathBuf,
    /// By key; whoever comes second waits for the first.
    made: Mutex<HashMap<String, Arc<OnceCell<PathBuf>>>>,
    /// What failed lately by its key, which is not tried again for a while however often somebody calls.
    failed: Mutex<HashMap<String, Failed>>,
    jobs: Mutex<Jobs>,
}

/// What was built since this server has started, as far as anybody has asked for it.
#[derive(Default)]
struct Jobs {
    by_key: HashMap<String, (JobHandle, Timestamp)>,
    /// The keys that each function asked for last. Several may ask for the same.
    asked: HashMap<FunctionId, Vec<String>>,
}

impl Jobs {
    fn ask(&mut self, function: FunctionId, keys: Vec<String>) {
        self.asked.insert(function, keys);
        let asked: HashSet<&String> = self.asked.values().flatten().collect();
        self.by_key.retain(|key, _| asked.contains(key));
    }

    fn latest(&self, function: FunctionId) -> Option<(JobHandle, Timestamp)> {
        let keys = self.asked.get(&function)?;
        keys.iter().rev().find_map(|key| self.by_key.get(key)).cloned()
    }
}

struct Failed {
    at: Instant,
    outcome: JobOutcome,
    job: (JobHandle, Timestamp),
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Builds {
    pub(crate) fn new(
        database: Database,
        objects: Objects,
        clock: Arc<dyn Clock>,
        options: BuildOptions,
        folder: PathBuf,
    ) -> Self {
        Self {
            database,
            objects,
            clock,
            options,
            folder,
            made: Mutex::default(),
            failed: Mutex::default(),
            jobs: Mutex::default(),
        }
    }

    /// The latest build of a function since this server has started.
    pub(crate) fn status(&self, function: FunctionId, after: u64) -> Option<BuildStatus> {
        let (handle, started_at) = locked(&self.jobs).latest(function)?;
        let state = handle.state().borrow().clone();
        Some(BuildStatus { state, started_at, log: handle.logs(after) })
    }

    /// What the function asks for now is there, with its code: what failed before is not told any more.
    pub(crate) fn not_needed(&self, function: FunctionId) {
        let mut jobs = locked(&self.jobs);
        let failed = jobs.latest(function).is_some_and(
            |(job, _)| matches!(&*job.state().borrow(), JobState::Over { outcome } if *outcome != JobOutcome::Done),
        );
        if failed {
            jobs.asked.remove(&function);
        }
    }

    /// Folders with the packages that code asks for, each to be laid over the code's own.
    pub(crate) async fn packages(
        &self,
        engine: &LocalEngine,
        function: FunctionId,
        code: &Code,
    ) -> Result<Vec<PathBuf>, ServiceError> {
        let manifests: BTreeMap<String, Vec<u8>> =
            MANIFESTS.iter().filter_map(|name| Some(((*name).to_owned(), code.get(name)?.bytes.to_vec()))).collect();
        let (mut folders, mut keys) = (Vec::new(), Vec::new());
        for dependencies in Dependencies::of(&manifests)? {
            let key = engine.build_key(&dependencies, &self.options).await?;
            keys.push(key.clone());
            locked(&self.jobs).ask(function, keys.clone());
            self.check_failed(&key)?;
            let cell = Arc::clone(locked(&self.made).entry(key.clone()).or_default());
            let made = cell.get_or_try_init(|| self.obtain(engine, function, &dependencies, &key)).await;
            folders.push(made?.clone());
        }
        Ok(folders)
    }

    fn check_failed(&self, key: &str) -> Result<(), ServiceError> {
        let mut failed = locked(&self.failed);
        failed.retain(|_, failed| failed.at.elapsed() < NOT_AGAIN_FOR);
        let Some(Failed { outcome, job, .. }) = failed.get(key) else { return Ok(()) };
        locked(&self.jobs).by_key.insert(key.to_owned(), job.clone());
        Err(ServiceError::Build { outcome: outcome.clone(), log: job.0.logs(0).tail(TAIL_LINES) })
    }

    /// From this disk, from the object store, or by a build.
    async fn obtain(
        &self,
        engine: &LocalEngine,
        function: FunctionId,
        dependencies: &Dependencies,
        key: &str,
    ) -> Result<PathBuf, ServiceError> {
        let place = self.folder.join(key);
        if tokio::fs::try_exists(&place).await.map_err(ServiceError::Disk)? {
            return Ok(place);
        }
        let making = self.folder.join(format!(".{key}.{:x}", rand::random::<u64>()));
        tokio::fs::create_dir_all(&making).await.map_err(ServiceError::Disk)?;
        let filled = match self.database.function_build(key).await {
            Ok(parts) if !parts.is_empty() => self.fetch(&parts, &making).await,
            Ok(_) => self.build(engine, function, dependencies, key, &making).await,
            Err(error) => Err(error.into()),
        };
        let moved = match filled {
            Ok(()) => tokio::fs::rename(&making, &place).await.map_err(ServiceError::Disk),
            Err(error) => Err(error),
        };
        if moved.is_err() {
            // What is not whole is of no use.
            let _ = tokio::fs::remove_dir_all(&making).await;
        }
        moved.map(|()| place)
    }

    async fn fetch(&self, parts: &[String], into: &Path) -> Result<(), ServiceError> {
        let mut packed = Vec::new();
        for part in parts {
            let digest = part.parse().map_err(|_| ServiceError::Internal(format!("`{part}` is no digest")))?;
            packed.push(self.objects.get(digest).await?);
        }
        let into = into.to_owned();
        blocking(move || pack::unpack(&packed, &into)).await
    }

    async fn build(
        &self,
        engine: &LocalEngine,
        function: FunctionId,
        dependencies: &Dependencies,
        key: &str,
        output: &Path,
    ) -> Result<(), ServiceError> {
        let target = BuildTarget { name: format!("build of {function}"), output: output.to_owned(), cache: None };
        let job = engine.build(dependencies, &self.options, target).await?;
        let begun = (job.clone(), self.clock.now());
        locked(&self.jobs).by_key.insert(key.to_owned(), begun.clone());
        let outcome = job.outcome().await;
        if outcome != JobOutcome::Done {
            let log = job.logs(0).tail(TAIL_LINES);
            let failed = Failed { at: Instant::now(), outcome: outcome.clone(), job: begun };
            locked(&self.failed).insert(key.to_owned(), failed);
            return Err(ServiceError::Build { outcome, log });
        }
        let (output, limits) = (output.to_owned(), self.options.limits);
        let packed = blocking(move || pack::pack(&output, limits)).await?;
        let mut parts = Vec::new();
        for part in packed {
            let digest = stoa_objects::Digest::of(&part).to_string();
            self.claim(&digest).await?;
            self.objects.put(part).await?;
            parts.push(digest);
        }
        Ok(self.database.keep_function_build(key, &parts, self.clock.now()).await?)
    }

    async fn claim(&self, digest: &str) -> Result<(), ServiceError> {
        for _ in 0..CLAIMS {
            if self.database.claim_blob(digest, self.clock.now()).await? {
                return Ok(());
            }
            tokio::time::sleep(CLAIM_PAUSE).await;
        }
        Err(ServiceError::Internal("an older copy of the packages is just being removed".to_owned()))
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ServiceError> + Send + 'static,
) -> Result<T, ServiceError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| ServiceError::Internal(error.to_string()))?
}
