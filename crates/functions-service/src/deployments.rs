//! What is served: versions with their code on this machine's disk, each with its lane, and those that are not needed any
//! more on their way out.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use stoa_functions::activator::{Activator, Lane};
use stoa_functions::spec::Draft;
use stoa_functions::{EngineError, Spec, Version, VersionId};
use stoa_functions_local::{LocalEngine, TreeLimits};
use stoa_identity::{Door, FunctionPass};
use stoa_model::function::ModelAccess;
use stoa_model::{FunctionId, Principal, UserId};
use stoa_objects::{Digest, Objects};
use stoa_storage::{CallableFunction, Database, RunnableVersion, StorageError};
use tokio::sync::OnceCell;

use crate::builds::{Builds, lay_over};
use crate::code::Code;
use crate::own::{asks_for_the_way, give_the_way};
use crate::service::{FunctionService, ServiceError};

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
    /// Of what is served and has the way to this server.
    passes: Mutex<HashMap<VersionId, FunctionPass>>,
    builds: Arc<Builds>,
    /// Nothing in it need be kept.
    folder: PathBuf,
    served: Mutex<HashMap<Key, Arc<OnceCell<Arc<Lane>>>>>,
    made: AtomicU64,
}

impl Deployments {
    pub(crate) fn new(database: Database, objects: Objects, door: Door, builds: Arc<Builds>, folder: PathBuf) -> Self {
        let (passes, served) = (Mutex::default(), Mutex::default());
        Self { database, objects, door, passes, builds, folder, served, made: AtomicU64::new(0) }
    }

    fn served(&self) -> MutexGuard<'_, HashMap<Key, Arc<OnceCell<Arc<Lane>>>>> {
        self.served.lock().unwrap_or_else(PoisonError::into_inner)
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
        let version = Version { id: key.engine_name(number)?, spec, code, volumes };
        let id = version.id.clone();
        let lane = activator.serve(version).await?;
        if let Some(pass) = pass {
            self.passes.lock().unwrap_or_else(PoisonError::into_inner).insert(id, pass);
        }
        Ok(lane)
    }

    /// A folder with the code, made once and used by all that run the same.
    async fn materialise(
        &self,
        engine: &LocalEngine,
        function: FunctionId,
        runnable: &RunnableVersion,
    ) -> Result<PathBuf, ServiceError> {
        let digest: Digest = runnable.code.digest.parse().map_err(|_| {
            let row = runnable.code.digest.clone();
            StorageError::Inconsistent { table: "functions", column: "code", row }
        })?;
        let place = self.folder.join(digest.to_string());
        if tokio::fs::try_exists(&place).await.map_err(ServiceError::Disk)? {
            self.builds.not_needed(function);
            return Ok(place);
        }
        let archive = self.objects.get(digest).await?;
        let code = Code::from_archive(&archive).map_err(|error| ServiceError::Internal(error.to_string()))?;
        let packages = self.builds.packages(engine, function, &code).await?;
        let making = self.folder.join(format!(".{digest}.{:x}", rand::random::<u64>()));
        let (into, finished) = (making.clone(), place.clone());
        let made = tokio::task::spawn_blocking(move || write(&code, &packages, &into, &finished)).await;
        made.map_err(|error| ServiceError::Internal(error.to_string()))??;
        Ok(place)
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

    /// Nothing of it runs any more, so its token is good for nothing.
    pub(crate) fn forget(&self, version: &VersionId) {
        self.passes.lock().unwrap_or_else(PoisonError::into_inner).remove(version);
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

fn write(code: &Code, packages: &[PathBuf], making: &Path, finished: &Path) -> Result<(), ServiceError> {
    std::fs::create_dir_all(making).map_err(ServiceError::Disk)?;
    let limits = TreeLimits { entries: u64::MAX, bytes: u64::MAX };
    let laid = code
        .write_to(making)
        .map_err(ServiceError::Disk)
        .and_then(|()| packages.iter().try_for_each(|packages| lay_over(packages, making, limits)));
    match laid.and_then(|()| std::fs::rename(making, finished).map_err(ServiceError::Disk)) {
        Ok(()) => Ok(()),
        // Somebody else has made the same meanwhile.
        Err(_) if finished.is_dir() => std::fs::remove_dir_all(making).map_err(ServiceError::Disk),
        Err(error) => {
            let _ = std::fs::remove_dir_all(making);
            Err(error)
        }
    }
}

impl From<EngineError> for ServiceError {
    fn from(error: EngineError) -> Self {
        Self::Refused(error.into())
    }
}
