//! The service: takes a call to a function, finds the version, has it served, and keeps account.

use std::collections::HashMap;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use http::header::COOKIE;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use stoa_egress::Egress;
use stoa_functions::activator::{Activator, Lane, Options as ActivatorOptions, Refusal, Rejected};
use stoa_functions::{Capabilities, Engine, Instance, RequestBody, SpecError};
use stoa_functions_local::build::{BuildError, BuildOptions, MANIFESTS};
use stoa_functions_local::{JobOutcome, LocalEngine, Options as EngineOptions, WayOut};
use stoa_identity::Door;
use stoa_identity::jwt::{Claims, Expected, JwtError, KeySet, KeySets, NotAdmitted, Unverified};
use stoa_model::function::{CALLER_HEADER, CLAIMS_HEADER, DEPTH_HEADER, FunctionVersion, JwtKeys, JwtRules};
use stoa_model::{Clock, FunctionId, InstanceId, Principal, UserId};
use stoa_objects::{Objects, ObjectsError};
use stoa_storage::{CallableFunction, Database, Notice, StorageError};
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::builds::{BuildStatus, Builds};
use crate::deployments::{Deployments, Key};
use crate::known::Known;
use crate::log_store::{FoundLog, LogRecord, LogSearch, LoggedCall};
use crate::logs::{Logs, Source};
use crate::metering::{Account, Done, Meter};
use crate::own::Depths;
use crate::past::Past;
use crate::prices::Prices;
use crate::routing::{Place, Target};
use crate::ticket::{Asked, MeteredBody, Ticket};
use crate::volumes::Shelf;
use crate::ways::{Home, Ways};

/// How often a call is given to another version because the one it had is served no more.
const CHOICES: u32 = 5;
/// How often what instances wrote is written down.
const CARRY_EVERY: Duration = Duration::from_millis(500);
/// How often logs are looked through for what is too old, in these.
const SWEEP_TICKS: u32 = 7_200;
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const WRITE_EVERY: Duration = Duration::from_secs(1);
/// The database is told of idle instances, every so often.
const IDLE_TICKS: u32 = 15;

/// Who may make functions, which are programs that run on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Makers {
    /// None run here.
    Nobody,
    Administrators,
    Everybody,
}

impl FromStr for Makers {
    type Err = NoMakers;

    fn from_str(text: &str) -> Result<Self, NoMakers> {
        match text {
            "off" => Ok(Self::Nobody),
            "administrators" => Ok(Self::Administrators),
            "everyone" => Ok(Self::Everybody),
            _ => Err(NoMakers),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("use `administrators`, `everyone` or `off`")]
pub struct NoMakers;

/// What an operator has chosen.
#[derive(Clone, Debug)]
pub struct Options {
    pub makers: Makers,
    /// Where code lies while it runs, and the engine's own folder is. Nothing in it need be kept.
    pub folder: PathBuf,
    /// Where volumes lie, which are to be kept. Servers of one database need the same.
    pub volumes: PathBuf,
    /// How large the volumes of one person may be together.
    pub volumes_per_person_mib: u64,
    /// The program that runs the first process of sandboxes.
    pub init: PathBuf,
    /// Folders with further interpreters.
    pub runtimes: Vec<PathBuf>,
    /// Interpreters of each kind that wait for code.
    pub waiting: usize,
    /// Interpreters that wait for one version each, of all together.
    pub prepared: usize,
    /// How packages are installed.
    pub builds: BuildOptions,
    pub prices: Prices,
}

/// What the service is built on.
#[derive(Clone)]
pub struct Parts {
    pub database: Database,
    pub objects: Objects,
    pub egress: Egress,
    /// Makes the tokens of functions.
    pub door: Door,
    pub clock: Arc<dyn Clock>,
}

/// Who is asked for by a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whom {
    Id(FunctionId),
    Name(String),
}

/// Who calls.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caller {
    /// Whose account it goes to.
    pub user: Option<UserId>,
    /// Whoever shall wait behind others no more than they behind it.
    pub queue: String,
    /// How many functions have called one another before.
    pub depth: u8,
    /// What the request is called in the log; it gets a name of its own if it has none.
    pub request: Option<String>,
    /// What was found to be true of whoever calls: JSON in base64url.
    pub claims: Option<HeaderValue>,
}

/// Why a call was not answered by its function.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    #[error("there is no such function, version or alias")]
    NotFound,
    #[error("functions do not run on this server: {0}")]
    Unavailable(String),
    #[error("its packages could not be installed: {outcome}")]
    Build {
        outcome: JobOutcome,
        /// The end of what was written meanwhile.
        log: String,
    },
    #[error("its packages cannot be installed")]
    Builder(#[from] BuildError),
    #[error("its volume `{volume}` is not there")]
    VolumeMissing { volume: String },
    #[error("the settings cannot be used: {0}")]
    Spec(#[source] SpecError),
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error("the code cannot be read")]
    Objects(#[from] ObjectsError),
    #[error("the code cannot be written to the disk")]
    Disk(#[source] std::io::Error),
    #[error("{0}")]
    Internal(String),
}

/// Whether functions run here, and how well they are kept in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineStatus {
    pub capabilities: Option<Capabilities>,
    /// Why they do not run.
    pub reason: Option<String>,
}

/// An instance and the version that it runs.
#[derive(Clone, Debug)]
pub struct ServingInstance {
    pub version: Option<u32>,
    pub instance: Instance,
}

/// Cheap to clone; all clones are one service.
#[derive(Clone)]
pub struct FunctionService {
    shared: Arc<Shared>,
}

struct Shared {
    options: Options,
    database: Database,
    clock: Arc<dyn Clock>,
    tracker: TaskTracker,
    deployments: Deployments,
    past: Past,
    logs: Arc<Logs>,
    /// On their way out, and still at work.
    retiring: Mutex<Vec<(Key, Arc<Lane>)>>,
    builds: Arc<Builds>,
    ways: Arc<Ways>,
    shelf: Shelf,
    depths: Depths,
    keys: KeySets,
    meter: Meter,
    running: tokio::sync::Mutex<Option<Arc<Running>>>,
    known: Mutex<Known>,
}

/// From the first use on.
struct Running {
    engine: Arc<LocalEngine>,
    activator: Activator,
}

impl FunctionService {
    /// Starts no engine yet, unless there are functions. What it does beside calls ends with `shutdown`.
    pub fn start(options: Options, parts: Parts, tracker: &TaskTracker, shutdown: CancellationToken) -> Self {
        let Parts { database, objects, egress, door, clock } = parts;
        let builds = Arc::new(Builds::new(
            database.clone(),
            objects.clone(),
            Arc::clone(&clock),
            options.builds.clone(),
            options.folder.join("packages"),
        ));
        let code = options.folder.join("code");
        let known = Known::new(database.notices().subscribe());
        let shared = Shared {
            deployments: Deployments::new(database.clone(), objects, door, Arc::clone(&builds), code),
            builds,
            past: Past::default(),
            shelf: Shelf::new(options.volumes.clone()),
            logs: Logs::new(options.folder.join("logs")),
            retiring: Mutex::default(),
            depths: Depths::default(),
            keys: KeySets::new(egress.clone(), Arc::clone(&clock)),
            meter: Meter::new(InstanceId::generate(clock.now()), options.folder.join("account")),
            options,
            database,
            clock,
            tracker: tracker.clone(),
            ways: Arc::new(Ways { egress, home: OnceLock::new() }),
            running: tokio::sync::Mutex::default(),
            known: Mutex::new(known),
        };
        let service = Self { shared: Arc::new(shared) };
        let notices = service.shared.database.notices().subscribe();
        tracker.spawn(follow(service.clone(), notices, shutdown.clone()));
        tracker.spawn(account(service.clone(), shutdown.clone()));
        tracker.spawn(crate::housekeeping::keep(service.clone(), shutdown.clone()));
        tracker.spawn(write_down(service.clone(), shutdown.clone()));
        tracker.spawn(crate::timers::keep(service.clone(), shutdown));
        service
    }

    /// Says where the server itself is reached, as soon as it is. Once.
    pub fn set_home(&self, home: Arc<dyn Home>) {
        // Whoever says it twice has said the same.
        let _ = self.shared.ways.home.set(home);
    }

    pub fn prices(&self) -> Prices {
        self.shared.options.prices
    }

    /// How large the volumes of one person may be together, in MiB.
    pub fn volumes_mib(&self) -> u64 {
        self.shared.options.volumes_per_person_mib
    }

    pub fn may_make(&self, principal: &Principal) -> bool {
        match self.shared.options.makers {
            Makers::Nobody => false,
            Makers::Administrators => principal.may_administer(),
            Makers::Everybody => principal.user_id().is_some(),
        }
    }

    pub(crate) fn database(&self) -> &Database {
        &self.shared.database
    }

    pub(crate) fn clock(&self) -> &Arc<dyn Clock> {
        &self.shared.clock
    }

    pub(crate) fn shelf(&self) -> &Shelf {
        &self.shared.shelf
    }

    pub(crate) fn tracker(&self) -> &TaskTracker {
        &self.shared.tracker
    }

    /// The engine, started if it was not. A host that cannot run functions is tried again whenever somebody asks.
    async fn running(&self) -> Result<Arc<Running>, ServiceError> {
        let mut running = self.shared.running.lock().await;
        if let Some(running) = &*running {
            return Ok(Arc::clone(running));
        }
        let options = &self.shared.options;
        if options.makers == Makers::Nobody {
            return Err(ServiceError::Unavailable("they are switched off (`STOA_FUNCTIONS`)".to_owned()));
        }
        self.shared.deployments.clear().map_err(ServiceError::Disk)?;
        let mut engine = EngineOptions::new(options.folder.join("engine"), options.init.clone());
        engine.runtimes.clone_from(&options.runtimes);
        engine.waiting = options.waiting;
        engine.prepared = options.prepared;
        let way_out: Arc<dyn WayOut> = Arc::<Ways>::clone(&self.shared.ways);
        engine.way_out = Some(way_out);
        engine.volumes = Some(Arc::clone(&self.shared.shelf.all));
        let engine = LocalEngine::start(engine, Arc::clone(&self.shared.clock)).await;
        let engine = engine.map_err(|error| {
            let mut text = error.to_string();
            if let Some(source) = std::error::Error::source(&error) {
                text = format!("{text}: {source}");
            }
            ServiceError::Unavailable(text)
        })?;
        tracing::info!(isolation = %engine.capabilities(), "functions run on this machine");
        let shared_engine: Arc<dyn Engine> = Arc::<LocalEngine>::clone(&engine);
        let activator = Activator::new(shared_engine, ActivatorOptions::default(), self.shared.tracker.clone());
        let made = Arc::new(Running { engine, activator });
        *running = Some(Arc::clone(&made));
        Ok(made)
    }

    /// Whether functions run here.
    pub async fn status(&self) -> EngineStatus {
        match self.running().await {
            Ok(running) => EngineStatus { capabilities: Some(running.engine.capabilities()), reason: None },
            Err(ServiceError::Unavailable(reason)) => EngineStatus { capabilities: None, reason: Some(reason) },
            Err(error) => EngineStatus { capabilities: None, reason: Some(error.to_string()) },
        }
    }

    /// What is known of a function, read again after it has changed.
    pub async fn callable(&self, whom: &Whom) -> Result<Arc<CallableFunction>, ServiceError> {
        let Whom::Name(name) = whom else { return self.read_callable(whom).await };
        let fresh = self.shared.database.notices().fresh();
        let changes = {
            let mut known = self.known();
            let known = known.hear();
            if let Some(function) = known.get(name).filter(|_| fresh) {
                return Ok(function);
            }
            known.changes()
        };
        let found = self.read_callable(whom).await?;
        self.known().hear().put(Arc::clone(&found), changes);
        Ok(found)
    }

    /// What a token of another issuer says, if the rules let its bearer in.
    pub async fn admit(&self, rules: &JwtRules, token: &str) -> Result<Claims, NotAdmitted> {
        let JwtRules { issuer, audience, keys, claims } = rules;
        let expected = Expected { issuer, audience, claims };
        match keys {
            JwtKeys::Url(url) => self.shared.keys.verify(token, url, expected).await,
            JwtKeys::Set(set) => {
                let token = Unverified::read(token)?;
                // They were read when they were kept.
                let keys = KeySet::parse(set.to_string().as_bytes()).map_err(|_| JwtError::UnknownKey)?;
                Ok(token.verify(&keys, expected, self.shared.clock.now())?)
            }
        }
    }

    /// How many functions have called one another when this one calls a model now, itself included.
    pub fn depth(&self, function: FunctionId) -> u8 {
        self.shared.depths.of(function).saturating_add(1)
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.shared.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has a request answered by what `target` says of a function. The answer tells who gave it, see [`Answered`]. Cookies
    /// may choose the version, and go no further: they are the application's.
    pub async fn call(
        &self,
        function: &Arc<CallableFunction>,
        target: &Target,
        caller: &Caller,
        mut request: Request<RequestBody>,
    ) -> Result<Response<MeteredBody>, ServiceError> {
        let mut function = Arc::clone(function);
        let begun = Instant::now();
        let place = Place::of(target, &function, request.headers());
        request.headers_mut().remove(COOKIE);
        for said_to_ourselves in [DEPTH_HEADER, CALLER_HEADER] {
            request.headers_mut().remove(said_to_ourselves);
        }
        say_claims(request.headers_mut(), caller.claims.as_ref());
        let named = caller.request.clone().unwrap_or_else(|| format!("{:024x}", rand::random::<u128>() >> 32));
        if let Ok(name) = HeaderValue::from_str(&named) {
            request.headers_mut().insert(REQUEST_ID, name);
        }
        let asked = Asked::of(&request, named);
        let depth = Arc::new(self.shared.depths.enter(function.id, caller.depth));
        for _ in 0..CHOICES {
            let (version, alias) = place.version(target, &function)?;
            let account = Account { function: function.id, version, alias, caller: caller.user };
            let ticket = Ticket::new(self.clone(), account, begun, Arc::clone(&depth), asked.clone());
            let lane = self.lane(&function, version).await?;
            match lane.call(&caller.queue, request).await {
                Ok(response) => return Ok(ticket.answered(response, version)),
                Err(rejected) => match *rejected {
                    // Another one is served in its place now, and the request has gone nowhere.
                    Rejected { refusal: Refusal::Retired, request: Some(unsent) } => {
                        ticket.forget();
                        request = unsent;
                    }
                    Rejected { refusal, .. } => return Err(refusal.into()),
                },
            }
            function = self.read_callable(&Whom::Id(function.id)).await?;
        }
        Err(Refusal::Retired.into())
    }

    /// Writes a call down.
    pub(crate) fn call_is_over(
        &self,
        account: Account,
        done: Done,
        instance: Option<&stoa_functions::InstanceId>,
        call: LoggedCall,
    ) {
        let now = self.shared.clock.now();
        self.shared.logs.call(account.function, account.version, instance, call, now);
        self.shared.meter.call(account, done, now);
    }

    /// Past what is known.
    async fn read_callable(&self, whom: &Whom) -> Result<Arc<CallableFunction>, ServiceError> {
        let principal = Principal::System("functions");
        let found = match whom {
            Whom::Id(id) => self.shared.database.callable_function_by_id(&principal, *id).await,
            Whom::Name(name) => self.shared.database.callable_function(&principal, name).await,
        };
        found.map(Arc::new).map_err(|error| match error {
            StorageError::NotFound => ServiceError::NotFound,
            error => error.into(),
        })
    }

    async fn lane(&self, function: &CallableFunction, version: Option<u32>) -> Result<Arc<Lane>, ServiceError> {
        let running = self.running().await?;
        let key = Key::new(function, version);
        let lane = self.shared.deployments.lane(self, function.owner, &running.engine, &running.activator, &key).await;
        lane.map_err(|error| match error {
            ServiceError::Storage(StorageError::NotFound) => ServiceError::NotFound,
            error => error,
        })
    }

    /// Instances of a function, of all versions that are served.
    pub async fn instances(&self, id: FunctionId) -> Vec<ServingInstance> {
        let Some(running) = self.shared.running.lock().await.clone() else { return Vec::new() };
        let mut instances = self.shared.past.instances(id);
        for (key, lane) in self.shared.deployments.all() {
            if key.function != id {
                continue;
            }
            let Ok(seen) = running.engine.instances(&lane.version().id) else { continue };
            let all = seen.borrow().clone();
            instances.extend(all.iter().cloned().map(|instance| ServingInstance { version: key.version, instance }));
        }
        instances
    }

    /// How many instances of each function there are that have not ended.
    pub async fn running_instances(&self) -> HashMap<FunctionId, usize> {
        let mut counts = HashMap::new();
        for id in self.shared.deployments.functions() {
            let running = self.instances(id).await;
            let running = running.iter().filter(|one| !one.instance.state.is_over()).count();
            counts.insert(id, running);
        }
        counts
    }

    /// The latest installation of packages for a function, with its log after a line.
    pub fn build(&self, function: FunctionId, after: u64) -> Option<BuildStatus> {
        self.shared.builds.status(function, after)
    }

    /// Installs packages for what the next version will be made of, in the background and also where that has just failed.
    pub async fn build_again(&self, id: FunctionId) -> Result<(), ServiceError> {
        self.callable(&Whom::Id(id)).await?;
        self.running().await?;
        self.shared.builds.try_again(id);
        self.serve_soon(id, None);
        Ok(())
    }

    /// Removes from this machine's disk what was unpacked there and nobody needs any more.
    pub async fn sweep_disk(&self) {
        if let Err(error) = self.shared.deployments.sweep(self.shared.clock.now()).await {
            tracing::warn!(%error, "unpacked code and packages are removed later");
        }
    }

    /// What instances of a function have written, and how it was called.
    pub async fn logs(&self, function: FunctionId, search: LogSearch) -> Result<FoundLog, ServiceError> {
        self.carry_logs().await;
        self.shared.logs.search(function, search).await
    }

    /// How the instance of a record is named to people.
    pub fn instance_name(&self, record: &LogRecord) -> String {
        self.shared.logs.name(record)
    }

    /// The instance that such a name means.
    pub fn instance_named(&self, name: &str) -> (String, u32) {
        self.shared.logs.named(name)
    }

    /// Takes over what has become of a function: what is not current goes, and what shall always run starts.
    async fn refresh(&self, id: FunctionId) -> Result<(), ServiceError> {
        let function = match self.callable(&Whom::Id(id)).await {
            Ok(function) => Some(function),
            Err(ServiceError::NotFound) => None,
            Err(error) => return Err(error),
        };
        for (key, lane) in self.shared.deployments.obsolete(id, function.as_deref()) {
            self.retire(key, lane).await;
        }
        let Some(function) = function else {
            self.shared.past.forget(id);
            self.shared.logs.forget(id).await;
            return Ok(());
        };
        if self.shared.deployments.all().iter().any(|(key, lane)| key.function == id && lane.has_volumes()) {
            self.resize_volumes(function.owner).await?;
        }
        // Packages may have to be installed first, and other changes are not to wait for that.
        let service = self.clone();
        self.shared.tracker.spawn(async move {
            if let Err(error) = service.keep_running(&function).await {
                tracing::warn!(%error, function = %id, "instances that shall always run do not");
            }
        });
        Ok(())
    }

    /// Its requests are served to their end, in the background.
    async fn retire(&self, key: Key, lane: Arc<Lane>) {
        let Some(running) = self.shared.running.lock().await.clone() else { return };
        let service = self.clone();
        self.retiring().push((key.clone(), Arc::clone(&lane)));
        self.shared.tracker.spawn(async move {
            let version = &lane.version().id;
            if let Err(error) = running.activator.release(version).await {
                tracing::debug!(%error, version = version.as_str(), "a version was not served any more");
            }
            service.keep_seen(&running, &key, &lane);
            service.carry_logs().await;
            service.retiring().retain(|(_, other)| !Arc::ptr_eq(other, &lane));
            if let Err(error) = running.engine.delete(version).await {
                tracing::debug!(%error, version = version.as_str(), "a version was gone already");
            }
            service.shared.deployments.forget(version);
            service.take_account(&key, &lane);
        });
    }

    fn keep_seen(&self, running: &Running, key: &Key, lane: &Lane) {
        let Ok(seen) = running.engine.instances(&lane.version().id) else { return };
        for instance in seen.borrow().iter() {
            self.shared.past.keep(key.function, key.version, instance);
        }
    }

    fn retiring(&self) -> std::sync::MutexGuard<'_, Vec<(Key, Arc<Lane>)>> {
        self.shared.retiring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes down what instances have written until now, and the calls that are over.
    async fn carry_logs(&self) {
        let running = self.shared.running.lock().await.clone();
        let mut sources = Vec::new();
        if let Some(running) = &running {
            let mut lanes = self.shared.deployments.all();
            lanes.extend(self.retiring().iter().cloned());
            for (key, lane) in lanes {
                let Ok(seen) = running.engine.instances(&lane.version().id) else { continue };
                let instances = seen.borrow().clone();
                sources.extend(instances.iter().map(|instance| Source {
                    function: key.function,
                    version: key.version,
                    instance: instance.id.clone(),
                }));
            }
        }
        let read = |instance, after| {
            let running = running.clone();
            async move { running?.engine.logs(&instance, after).await.ok() }
        };
        self.shared.logs.carry(&sources, read, true, self.shared.clock.now()).await;
    }

    /// Versions that shall never be without an instance, or without a prepared one, are served before anybody calls.
    async fn keep_running(&self, function: &CallableFunction) -> Result<(), ServiceError> {
        let routes = function.aliases.iter().map(|alias| &alias.route);
        let versions = routes.flat_map(|route| [Some(route.version), route.canary.map(|canary| canary.version)]);
        let mut versions: Vec<_> = versions.flatten().collect();
        versions.sort_unstable();
        versions.dedup();
        for number in versions {
            let runnable =
                self.database().runnable_version(&Principal::System("functions"), function.id, Some(number)).await?;
            let draft = crate::deployments::draft(&runnable)?;
            if draft.instances.minimum > 0 || draft.prepared > 0 {
                self.lane(function, Some(number)).await?;
            }
        }
        Ok(())
    }

    fn take_account(&self, key: &Key, lane: &Lane) {
        let spec = &lane.version().spec;
        let account = Account { function: key.function, version: key.version, alias: String::new(), caller: None };
        let now = self.shared.clock.now();
        self.shared.meter.instances(account, lane.take_account(), spec.cpu_millis, spec.memory_mib, now);
    }

    /// What is idle takes memory alone, which the database is told seldom.
    async fn write_account(&self, idle: bool) {
        for (key, lane) in self.shared.deployments.all() {
            self.take_account(&key, &lane);
        }
        if let Err(error) = self.shared.meter.write(&self.shared.database, idle, self.shared.clock.now()).await {
            tracing::warn!(%error, "what functions took is written later");
        }
    }

    /// Has the packages of a version installed in the background, so that the first call does not wait for that.
    pub fn install(&self, id: FunctionId, version: &FunctionVersion) {
        if !version.files.iter().any(|file| MANIFESTS.contains(&file.path.as_str())) {
            return;
        }
        self.serve_soon(id, Some(version.number));
    }

    /// In the background, with its packages.
    fn serve_soon(&self, id: FunctionId, version: Option<u32>) {
        let service = self.clone();
        self.shared.tracker.spawn(async move {
            let served = async {
                let function = service.read_callable(&Whom::Id(id)).await?;
                service.lane(&function, version).await
            };
            match served.await {
                // How packages are installed is told where that is shown.
                Ok(_) | Err(ServiceError::Build { .. }) => {}
                Err(error) => tracing::warn!(%error, function = %id, version, "packages are not installed"),
            }
        });
    }

    /// Ends all instances, and writes the last of the account.
    pub async fn shutdown(&self) {
        self.carry_logs().await;
        let running = self.shared.running.lock().await.take();
        if let Some(running) = running {
            running.activator.close().await;
            running.engine.shut_down().await;
        }
        self.write_account(true).await;
    }
}

/// Only what we have found to be true. Some programs take `_` for `-` in the names of headers.
fn say_claims(headers: &mut HeaderMap, claims: Option<&HeaderValue>) {
    let forged = |name: &&HeaderName| name.as_str().replace('_', "-") == CLAIMS_HEADER;
    let forged: Vec<_> = headers.keys().filter(forged).cloned().collect();
    for name in forged {
        headers.remove(name);
    }
    if let Some(claims) = claims {
        headers.insert(CLAIMS_HEADER, claims.clone());
    }
}

/// Writes down what instances write, and sweeps what is too old.
async fn write_down(service: FunctionService, shutdown: CancellationToken) {
    for tick in 0_u32.. {
        if tick % SWEEP_TICKS == 0 {
            match service.database().functions(&Principal::System("functions")).await {
                Ok(lines) => service.shared.logs.sweep(lines.into_iter().map(|line| line.id).collect()).await,
                Err(error) => tracing::warn!(%error, "old logs of functions are swept later"),
            }
        }
        tokio::select! {
            () = tokio::time::sleep(CARRY_EVERY) => service.carry_logs().await,
            () = shutdown.cancelled() => return,
        }
    }
}

async fn account(service: FunctionService, shutdown: CancellationToken) {
    let mut left = true;
    for tick in 0_u32.. {
        if left {
            let taken_over = service.shared.meter.take_over(service.database()).await;
            left = taken_over.is_err();
            if let Err(error) = taken_over {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "what functions took before the last end of this server is written later");
            }
        }
        tokio::select! {
            () = tokio::time::sleep(WRITE_EVERY) => service.write_account(tick % IDLE_TICKS == 0).await,
            () = shutdown.cancelled() => return,
        }
    }
}

async fn follow(
    service: FunctionService,
    mut notices: tokio::sync::broadcast::Receiver<Notice>,
    shutdown: CancellationToken,
) {
    let all = async || {
        let lines = service.database().functions(&Principal::System("functions")).await;
        lines.map(|lines| lines.into_iter().map(|line| line.id).collect::<Vec<_>>())
    };
    let mut due = all().await;
    loop {
        match due {
            Ok(ids) => {
                for id in ids {
                    if let Err(error) = service.refresh(id).await {
                        tracing::warn!(%error, function = %id, "a function is served as it was");
                    }
                }
            }
            Err(error) => tracing::warn!(%error, "functions could not be read"),
        }
        let notice = tokio::select! {
            notice = notices.recv() => notice,
            () = shutdown.cancelled() => return,
        };
        due = match notice {
            Ok(Notice::Function { function }) => Ok(vec![function]),
            Ok(Notice::Resync) | Err(RecvError::Lagged(_)) => all().await,
            Ok(_) => Ok(Vec::new()),
            Err(RecvError::Closed) => return,
        };
    }
}
