//! Packages that functions need: built once by what asks for them, kept in the object store so that a version stays what it
//! was, and unpacked on this machine as long as there is room.

mod failures;
mod pack;
mod unpacked;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use stoa_functions_local::build::{BuildOptions, BuildTarget, Dependencies, MANIFESTS};
use stoa_functions_local::{JobHandle, JobOutcome, JobState, LocalEngine, Reserve};
use stoa_model::{Clock, FunctionId, Timestamp};
use stoa_objects::{Digest, Objects};
use stoa_storage::Database;

pub(crate) use pack::lay_over;

use crate::code::Code;
use crate::service::ServiceError;
use failures::Failures;
use unpacked::{Place, Unpacked};

/// Lines of the log that a failed build is told with.
const TAIL_LINES: usize = 30;
/// Tries, and the pause between them, while the same bytes are just being removed.
const CLAIMS: u32 = 20;
const CLAIM_PAUSE: Duration = Duration::from_millis(200);
/// What stays free on the disk that packages are unpacked on: more than volumes leave, so that they do not fill up for what can
/// be made again.
const RESERVE: Reserve = Reserve { bytes: 2 << 30, part: 10 };

/// How a build of a function stands.
#[derive(Clone, Debug)]
pub struct BuildStatus {
    pub state: JobState,
    pub started_at: Timestamp,
    /// When it is tried again, at the first call from then on, where it failed.
    pub again_at: Option<Timestamp>,
    /// Of its log, from its beginning.
    pub log: stoa_functions::LogPage,
}

/// Packages of code, unpacked. They stay on the disk as long as anybody has this.
pub(crate) struct Package {
    key: String,
    pub(crate) folder: PathBuf,
    _place: Place,
}

pub(crate) struct Builds {
    database: Database,
    objects: Objects,
    clock: Arc<dyn Clock>,
    options: BuildOptions,
    unpacked: Unpacked,
    failures: Failures<FailedBuild>,
    jobs: Mutex<Jobs>,
    /// Whoever packs, which takes memory.
    packing: tokio::sync::Mutex<()>,
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

    fn latest(&self, function: FunctionId) -> Option<(&String, (JobHandle, Timestamp))> {
        let keys = self.asked.get(&function)?;
        keys.iter().rev().find_map(|key| Some((key, self.by_key.get(key)?.clone())))
    }
}

#[derive(Clone)]
struct FailedBuild {
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
            unpacked: Unpacked::new(folder),
            failures: Failures::new(),
            jobs: Mutex::default(),
            packing: tokio::sync::Mutex::default(),
        }
    }

    /// The latest build of a function since this server has started.
    pub(crate) fn status(&self, function: FunctionId, after: u64) -> Option<BuildStatus> {
        let jobs = locked(&self.jobs);
        let (key, (handle, started_at)) = jobs.latest(function)?;
        let state = handle.state().borrow().clone();
        let again_at = self.failures.pausing(key, self.clock.now()).map(|failure| failure.again_at());
        Some(BuildStatus { state, started_at, again_at, log: handle.logs(after) })
    }

    /// What has failed for a function is tried again by whoever calls next.
    pub(crate) fn try_again(&self, function: FunctionId) {
        for key in locked(&self.jobs).asked.get(&function).into_iter().flatten() {
            self.failures.forget(key);
        }
    }

    /// What the function asks for now is there, with its code: what failed before is not told any more.
    pub(crate) fn not_needed(&self, function: FunctionId) {
        let mut jobs = locked(&self.jobs);
        let failed = jobs.latest(function).is_some_and(
            |(_, (job, _))| matches!(&*job.state().borrow(), JobState::Over { outcome } if *outcome != JobOutcome::Done),
        );
        if failed {
            jobs.asked.remove(&function);
        }
    }

    /// The packages that code asks for, each to be laid over the code's own.
    pub(crate) async fn packages(
        &self,
        engine: &LocalEngine,
        function: FunctionId,
        code: &Code,
        digest: &Digest,
    ) -> Result<Vec<Package>, ServiceError> {
        let manifests: BTreeMap<String, Vec<u8>> =
            MANIFESTS.iter().filter_map(|name| Some(((*name).to_owned(), code.get(name)?.bytes.to_vec()))).collect();
        let (mut packages, mut keys) = (Vec::new(), Vec::new());
        for dependencies in Dependencies::of(&manifests)? {
            let key = engine.build_key(&dependencies, &self.options).await?;
            keys.push(key.clone());
            locked(&self.jobs).ask(function, keys.clone());
            self.check_failed(&key)?;
            let place = self.unpacked.place(&key);
            let made = place.get_or_try_init(|| self.obtain(engine, function, &dependencies, &key, digest)).await;
            packages.push(Package { folder: made?.clone(), key, _place: place });
        }
        self.keep(&packages, digest).await?;
        Ok(packages)
    }

    /// Has the object store keep packages for that code, which is about to run.
    pub(crate) async fn keep(&self, packages: &[Package], digest: &Digest) -> Result<(), ServiceError> {
        for Package { key, folder, .. } in packages {
            let (used, now) = (folder.clone(), self.clock.now());
            blocking(move || unpacked::touch(&used, now).map_err(ServiceError::Disk)).await?;
            self.keep_one(key, folder, &digest.to_string()).await?;
        }
        Ok(())
    }

    /// It may have been swept by others while it lay here.
    async fn keep_one(&self, key: &str, folder: &Path, code: &str) -> Result<(), ServiceError> {
        if !self.database.use_function_build(key, code).await?.is_empty() {
            return Ok(());
        }
        let _turn = self.packing.lock().await;
        for _ in 0..CLAIMS {
            if !self.database.use_function_build(key, code).await?.is_empty() {
                return Ok(());
            }
            let (folder, limits) = (folder.to_owned(), self.options.limits);
            let packed = blocking(move || pack::pack(&folder, limits)).await?;
            let mut parts = Vec::new();
            for part in packed {
                let digest = Digest::of(&part).to_string();
                self.claim(&digest).await?;
                self.objects.put(part).await?;
                parts.push(digest);
            }
            if self.database.keep_function_build(key, code, &parts, self.clock.now()).await? {
                return Ok(());
            }
        }
        Err(ServiceError::Internal("packages are built and removed all the time".to_owned()))
    }

    fn check_failed(&self, key: &str) -> Result<(), ServiceError> {
        let Some(failure) = self.failures.pausing(key, self.clock.now()) else { return Ok(()) };
        let FailedBuild { outcome, job } = failure.reason;
        let log = job.0.logs(0).tail(TAIL_LINES);
        locked(&self.jobs).by_key.insert(key.to_owned(), job);
        Err(ServiceError::Build { outcome, log })
    }

    /// From this disk, from the object store, or by a build.
    async fn obtain(
        &self,
        engine: &LocalEngine,
        function: FunctionId,
        dependencies: &Dependencies,
        key: &str,
        digest: &Digest,
    ) -> Result<PathBuf, ServiceError> {
        let place = self.unpacked.path(key);
        if tokio::fs::try_exists(&place).await.map_err(ServiceError::Disk)? {
            return Ok(place);
        }
        let making = self.unpacked.making(key);
        tokio::fs::create_dir_all(&making).await.map_err(ServiceError::Disk)?;
        let filled = match self.database.use_function_build(key, &digest.to_string()).await {
            Ok(parts) if !parts.is_empty() => self.fetch(&parts, &making).await,
            Ok(_) => match self.build(engine, function, dependencies, key, &making).await {
                // What cannot be kept is not left here either.
                Ok(()) => self.keep_one(key, &making, &digest.to_string()).await,
                failed => failed,
            },
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

    /// Before the first of them is made. Blocks.
    pub(crate) fn clear(&self) -> io::Result<()> {
        self.unpacked.clear()
    }

    /// Removes what nobody has and nobody has wanted for long. Blocks.
    pub(crate) fn sweep(&self, now: Timestamp) -> io::Result<()> {
        self.unpacked.sweep(now, |folder| RESERVE.is_short(std::fs::File::open(folder)?))
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
            let reason = FailedBuild { outcome: outcome.clone(), job: begun };
            self.failures.note(key, reason, self.clock.now());
            return Err(ServiceError::Build { outcome, log });
        }
        self.failures.forget(key);
        Ok(())
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
