//! What is served: versions with their code on this machine's disk, each with its lane, and those that are not needed any
//! more on their way out.

mod unpacked;

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use stoa_functions::activator::{Activator, Lane};
use stoa_functions::spec::Draft;
use stoa_functions::{EngineError, Spec, Version, VersionId};
use stoa_functions_local::{LocalEngine, TreeLimits, remove_folder};
use stoa_identity::{Door, FunctionPass};
use stoa_model::function::ModelAccess;
use stoa_model::{FunctionId, Principal, Timestamp, UserId};
use stoa_objects::{Digest, Objects};
use stoa_storage::{CallableFunction, Database, RunnableVersion, StorageError};
use tokio::sync::OnceCell;

use crate::builds::{Builds, Package, lay_over};
use crate::code::Code;
use crate::own::{asks_for_the_way, give_the_way};
use crate::service::{FunctionService, ServiceError};
use unpacked::{Unpacked, UnpackedCode};

/// Which code and settings run, and with which secrets.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) function: FunctionId,
    pub(crate) version: Option<u32>,
    /// Of what is no version yet, how often it was changed.
    revision: i64,
    secrets_revision: i64,
}

impl Key {
    pub(crate) fn new(function: &CallableFunction, version: Option<u32>) -> Self {
        let revision = if version.is_some() { 0 } else { function.revision };
        Self { function: function.id, version, revision, secrets_revision: function.secrets_revision }
    }

    /// Of a deployment, with its number: what was served before and is on its way out is called otherwise.
    fn engine_name(&self, number: u64) -> Result<VersionId, ServiceError> {
        let which = match self.version {
            Some(number) => format!("v{number}"),
            None => format!("r{}", self.revision),
        };
        let name = format!("f{}-{which}-{number}", self.function.as_uuid().simple());
        VersionId::new(&name).map_err(|error| ServiceError::Internal(error.to_string()))
    }

    /// Whether this is what would be served of the function now.
    fn is_current(&self, function: &CallableFunction) -> bool {
        *self == Self::new(function, self.version)
    }
}

pub(crate) struct Deployments {
    database: Database,
    objects: Objects,
    door: Door,
    /// As long as anything of it may run.
    held: Mutex<HashMap<VersionId, Held>>,
    builds: Arc<Builds>,
    code: Arc<UnpackedCode>,
    served: Mutex<HashMap<Key, Arc<OnceCell<Arc<Lane>>>>>,
    made: AtomicU64,
}

/// What a version that is served needs beside its lane.
struct Held {
    _code: Arc<Unpacked>,
    /// Of what has the way to this server.
    _pass: Option<FunctionPass>,
}

impl Deployments {
    /// Nothing in the folder need be kept.
    pub(crate) fn new(database: Database, objects: Objects, door: Door, builds: Arc<Builds>, folder: PathBuf) -> Self {
        let (held, served) = (Mutex::default(), Mutex::default());
        let code = Arc::new(UnpackedCode::new(folder));
        Self { database, objects, door, held, builds, code, served, made: AtomicU64::new(0) }
    }

    /// Before anything is served. Blocks.
    pub(crate) fn clear(&self) -> io::Result<()> {
        self.code.clear()?;
        self.builds.clear()
    }

    /// Removes from the disk what nobody needs any more.
    pub(crate) async fn sweep(&self, now: Timestamp) -> io::Result<()> {
        let (code, builds) = (Arc::clone(&self.code), Arc::clone(&self.builds));
        let swept = tokio::task::spawn_blocking(move || code.sweep(now).and(builds.sweep(now)));
        swept.await.map_err(io::Error::other)?
    }

    fn served(&self) -> MutexGuard<'_, HashMap<Key, Arc<OnceCell<Arc<Lane>>>>> {
        self.served.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn held(&self) -> MutexGuard<'_, HashMap<VersionId, Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The lane of a version, which is made if it is not there.
    pub(crate) async fn lane(
        &self,
        service: &FunctionService,
        owner: UserId,
        engine: &LocalEngine,
        activator: &Activator,
        key: &Key,
    ) -> Result<Arc<Lane>, ServiceError> {
        let cell = Arc::clone(self.served().entry(key.clone()).or_default());
        let lane = cell.get_or_try_init(|| Box::pin(self.deploy(service, owner, engine, activator, key))).await;
        if lane.is_err() {
            // Nothing stands for what could not be made.
            self.served().retain(|other, kept| other != key || kept.get().is_some());
        }
        lane.cloned()
    }

    async fn deploy(
        &self,
        service: &FunctionService,
        owner: UserId,
        engine: &LocalEngine,
        activator: &Activator,
        key: &Key,
    ) -> Result<Arc<Lane>, ServiceError> {
        let runnable =
            self.database.runnable_version(&Principal::System("functions"), key.function, key.version).await?;
        let mut draft = draft(&runnable)?;
        let models = runnable.models != ModelAccess::Off;
        let pass = (models || asks_for_the_way(&draft)).then(|| self.door.admit_function(key.function));
        if let Some(pass) = &pass {
            give_the_way(&mut draft, pass.token(), models);
        }
        let spec = Arc::new(Spec::try_from(draft).map_err(ServiceError::Spec)?);
        let volumes = service.volumes_of(owner, &spec).await?;
        let code = self.materialise(engine, key.function, &runnable).await?;
        let number = self.made.fetch_add(1, Ordering::Relaxed) + 1;
        let version = Version { id: key.engine_name(number)?, spec, code: code.folder.clone(), volumes };
        let id = version.id.clone();
        let lane = activator.serve(version).await?;
        self.held().insert(id, Held { _code: code, _pass: pass });
        Ok(lane)
    }

    /// A folder with the code, made once and used by all that run the same.
    async fn materialise(
        &self,
        engine: &LocalEngine,
        function: FunctionId,
        runnable: &RunnableVersion,
    ) -> Result<Arc<Unpacked>, ServiceError> {
        let digest: Digest = runnable.code.digest.parse().map_err(|_| {
            let row = runnable.code.digest.clone();
            StorageError::Inconsistent { table: "functions", column: "code", row }
        })?;
        if let Some(there) = self.code.get(&digest) {
            self.builds.keep(&there.packages, &digest).await?;
            self.builds.not_needed(function);
            return Ok(there);
        }
        let archive = self.objects.get(digest).await?;
        let code = Code::from_archive(&archive).map_err(|error| ServiceError::Internal(error.to_string()))?;
        let packages = self.builds.packages(engine, function, &code, &digest).await?;
        let (all, making) = (Arc::clone(&self.code), self.code.making(&digest));
        let made = tokio::task::spawn_blocking(move || {
            write(&code, &packages, &making)
                .and_then(|()| all.put(digest, &making, packages).map_err(ServiceError::Disk))
        });
        made.await.map_err(|error| ServiceError::Internal(error.to_string()))?
    }

    /// Lanes of a function that nobody shall get to any more: of all that is not current, and of versions that no alias leads
    /// to and that have nothing to do. Without the function, all.
    pub(crate) fn obsolete(&self, id: FunctionId, function: Option<&CallableFunction>) -> Vec<(Key, Arc<Lane>)> {
        let leads = |function: &CallableFunction, version: u32| {
            function.aliases.iter().any(|alias| {
                alias.route.version == version || alias.route.canary.is_some_and(|canary| canary.version == version)
            })
        };
        let stays = |key: &Key, lane: &Lane| {
            function.is_some_and(|function| {
                let wanted = key.version.is_none_or(|version| leads(function, version));
                key.is_current(function) && (wanted || lane.load() != (0, 0))
            })
        };
        let mut served = self.served();
        let mut gone = Vec::new();
        served.retain(|key, cell| {
            let Some(lane) = cell.get().filter(|_| key.function == id) else { return true };
            let stays = stays(key, lane);
            if !stays {
                gone.push((key.clone(), Arc::clone(lane)));
            }
            stays
        });
        gone
    }

    /// Nothing of it runs any more, so its token is good for nothing, and its code need not be there.
    pub(crate) fn forget(&self, version: &VersionId) {
        self.held().remove(version);
    }

    /// Everything that is served.
    pub(crate) fn all(&self) -> Vec<(Key, Arc<Lane>)> {
        let served = self.served();
        served.iter().filter_map(|(key, cell)| cell.get().map(|lane| (key.clone(), Arc::clone(lane)))).collect()
    }

    /// Functions of which something is served.
    pub(crate) fn functions(&self) -> Vec<FunctionId> {
        let mut functions: Vec<_> = self.served().keys().map(|key| key.function).collect();
        functions.sort_unstable();
        functions.dedup();
        functions
    }
}

/// What the version asks for, with the secrets in its environment.
pub(crate) fn draft(runnable: &RunnableVersion) -> Result<Draft, ServiceError> {
    let draft = serde_json::from_value::<Draft>(runnable.settings.clone());
    let mut draft = draft.map_err(|error| ServiceError::Internal(error.to_string()))?;
    let secrets = runnable.secrets.iter().map(|(name, secret)| (name.clone(), secret.expose().to_owned()));
    draft.environment.extend(secrets);
    Ok(draft)
}

fn write(code: &Code, packages: &[Package], making: &Path) -> Result<(), ServiceError> {
    std::fs::create_dir_all(making).map_err(ServiceError::Disk)?;
    let limits = TreeLimits { entries: u64::MAX, bytes: u64::MAX };
    let laid = code
        .write_to(making)
        .map_err(ServiceError::Disk)
        .and_then(|()| packages.iter().try_for_each(|package| lay_over(&package.folder, making, limits)));
    if laid.is_err() {
        // What is not whole is of no use.
        let _ = remove_folder(making);
    }
    laid
}

impl From<EngineError> for ServiceError {
    fn from(error: EngineError) -> Self {
        Self::Refused(error.into())
    }
}
