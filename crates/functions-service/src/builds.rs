//! Packages that functions need: built once by what asks for them, kept in the object store so that a version stays what it
//! was, and unpacked on this machine as long as there is room.

mod pack;

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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
const CLAIM_PAUSE: std::time::Duration = std::time::Duration::from_millis(200);

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
    /// The latest of each function.
    latest: Mutex<HashMap<FunctionId, (JobHandle, Timestamp)>>,
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
        Self { database, objects, clock, options, folder, made: Mutex::default(), latest: Mutex::default() }
    }

    /// The latest build of a function since this server has started.
    pub(crate) fn status(&self, function: FunctionId, after: u64) -> Option<BuildStatus> {
        let (handle, started_at) = locked(&self.latest).get(&function).cloned()?;
        let state = handle.state().borrow().clone();
        Some(BuildStatus { state, started_at, log: handle.logs(after) })
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
        let mut folders = Vec::new();
        for dependencies in Dependencies::of(&manifests)? {
            let key = engine.build_key(&dependencies, &self.options).await?;
            let cell = Arc::clone(locked(&self.made).entry(key.clone()).or_default());
            let made = cell.get_or_try_init(|| self.obtain(engine, function, &dependencies, &key)).await;
            folders.push(made?.clone());
        }
        Ok(folders)
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
        locked(&self.latest).insert(function, (job.clone(), self.clock.now()));
        let outcome = job.outcome().await;
        if outcome != JobOutcome::Done {
            return Err(ServiceError::Build { outcome, log: job.logs(0).tail(TAIL_LINES) });
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
