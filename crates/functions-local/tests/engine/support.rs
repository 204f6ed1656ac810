//! An engine, functions in it, and how tests talk to them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use stoa_functions::{
    Connection, Draft, Engine as _, Instance, InstanceId, Isolation, Scale, Spec, State, StopReason, Version,
    VersionId, VolumeKey,
};
use stoa_functions_local::{LocalEngine, Options, Volumes};
use stoa_model::{FunctionVolumeId, SystemClock, Timestamp, UserId};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

pub(crate) const APP: &str = include_str!("app.py");

pub(crate) const INIT: &str = env!("CARGO_BIN_EXE_stoa-function-init");

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct House {
    pub(crate) engine: Arc<LocalEngine>,
    pub(crate) volumes: Arc<Volumes>,
    pub(crate) folder: TempDir,
}

pub(crate) async fn in_time<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("{what} took too long"))
}

pub(crate) fn python(_: &mut Draft) {}

/// Whoever has volumes.
pub(crate) fn somebody() -> UserId {
    UserId::generate(Timestamp::from_millis(0))
}

impl House {
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut Options)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut options = Options::new(folder.path().join("engine"), PathBuf::from(INIT));
        let volumes = Arc::new(Volumes::new(folder.path().join("volumes")));
        options.volumes = Some(Arc::clone(&volumes));
        change(&mut options);
        let engine = LocalEngine::start(options, Arc::new(SystemClock)).await;
        Self {
            engine: engine.unwrap_or_else(|error| panic!("{error}: {:?}", std::error::Error::source(&error))),
            volumes,
            folder,
        }
    }

    /// A new volume of somebody, and where it lies.
    pub(crate) fn volume(&self, owner: UserId, mib: u64) -> (VolumeKey, PathBuf) {
        let key = VolumeKey { owner, volume: FunctionVolumeId::generate(Timestamp::from_millis(0)) };
        self.volumes.create(key).unwrap();
        self.volumes.set_size(key.volume, mib << 20);
        (key, self.folder.path().join(format!("volumes/{owner}/{}", key.volume)))
    }

    /// Whether instances are held to limits here; an ordinary user's usually are not.
    pub(crate) fn has_limits(&self) -> bool {
        self.engine.capabilities().isolation.limits
    }

    /// A folder of code with these files.
    pub(crate) fn code(&self, name: &str, files: &[(&str, &str)]) -> PathBuf {
        let folder = self.folder.path().join(name);
        std::fs::create_dir(&folder).unwrap();
        for (name, text) in files {
            let place = folder.join(name);
            std::fs::create_dir_all(place.parent().unwrap()).unwrap();
            std::fs::write(place, text).unwrap();
        }
        folder
    }

    pub(crate) async fn apply(&self, name: &str, files: &[(&str, &str)], change: impl FnOnce(&mut Draft)) -> VersionId {
        self.apply_with(name, files, Vec::new(), change).await
    }

    pub(crate) async fn apply_with(
        &self,
        name: &str,
        files: &[(&str, &str)],
        volumes: Vec<VolumeKey>,
        change: impl FnOnce(&mut Draft),
    ) -> VersionId {
        let code = self.code(name, files);
        self.apply_code(name, code, volumes, change).await
    }

    pub(crate) async fn apply_code(
        &self,
        name: &str,
        code: PathBuf,
        volumes: Vec<VolumeKey>,
        change: impl FnOnce(&mut Draft),
    ) -> VersionId {
        let mut draft = Draft {
            command: ["python3", "app.py"].map(str::to_owned).to_vec(),
            isolation: Isolation { landlock: true, ..Isolation::NAMESPACES },
            cpu_millis: 1_000,
            ..Draft::default()
        };
        change(&mut draft);
        let id = VersionId::new(name).unwrap();
        let version = Version { id: id.clone(), spec: Arc::new(Spec::try_from(draft).unwrap()), code, volumes };
        self.engine.apply(version).await.unwrap();
        id
    }

    pub(crate) async fn scale(&self, version: &VersionId, instances: u32) {
        self.engine.scale(version, Scale { instances, leaving: Vec::new() }).await.unwrap();
    }

    /// The Python server that runs what it is sent.
    pub(crate) async fn start_app(&self, name: &str, change: impl FnOnce(&mut Draft)) -> (VersionId, InstanceId) {
        let version = self.apply(name, &[("app.py", APP)], change).await;
        self.scale(&version, 1).await;
        let instance = self.ready(&version).await;
        (version, instance)
    }

    pub(crate) fn view(&self, version: &VersionId, instance: &InstanceId) -> Instance {
        let seen = self.engine.instances(version).unwrap();
        let found = seen.borrow().iter().find(|one| one.id == *instance).cloned();
        found.unwrap()
    }

    /// One that is ready. None may have failed.
    pub(crate) async fn ready(&self, version: &VersionId) -> InstanceId {
        let found = self.until(version, |instance| match &instance.state {
            State::Ready => true,
            State::Stopped { reason } => panic!("{reason}; {}", instance.id),
            _ => false,
        });
        found.await.id
    }

    /// One of which this holds.
    pub(crate) async fn until(&self, version: &VersionId, holds: impl Fn(&Instance) -> bool) -> Instance {
        let mut seen = self.engine.instances(version).unwrap();
        let waited = seen.wait_for(|all| all.iter().any(&holds));
        let all = in_time("an instance", waited).await.unwrap().clone();
        all.iter().find(|one| holds(one)).unwrap().clone()
    }

    pub(crate) async fn stopped(&self, version: &VersionId) -> StopReason {
        let instance = self.until(version, |instance| instance.state.is_over()).await;
        let State::Stopped { reason } = instance.state else { unreachable!() };
        reason
    }

    pub(crate) async fn connect(&self, instance: &InstanceId) -> Box<dyn Connection> {
        self.engine.connect(instance).await.unwrap_or_else(|error| panic!("{error}"))
    }

    /// The head and the body of the answer.
    pub(crate) async fn send(&self, instance: &InstanceId, request: &str) -> (String, String) {
        let mut connection = self.connect(instance).await;
        in_time("a request", async {
            connection.write_all(request.as_bytes()).await.unwrap();
            let mut answer = Vec::new();
            // The server may have reset the connection after its answer.
            let _ = connection.read_to_end(&mut answer).await;
            let answer = String::from_utf8_lossy(&answer).into_owned();
            let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
            (head.to_owned(), body.to_owned())
        })
        .await
    }

    pub(crate) async fn get(&self, instance: &InstanceId, path: &str) -> String {
        self.send(instance, &format!("GET {path} HTTP/1.1\r\nHost: f\r\nConnection: close\r\n\r\n")).await.1
    }

    /// Runs Python in the function, and gives what it leaves in `answer`, or its error.
    pub(crate) async fn run(&self, instance: &InstanceId, code: &str) -> String {
        let head = "POST / HTTP/1.1\r\nHost: f\r\nConnection: close\r\n";
        self.send(instance, &format!("{head}Content-Length: {}\r\n\r\n{code}", code.len())).await.1
    }

    pub(crate) async fn log(&self, instance: &InstanceId) -> String {
        let page = self.engine.logs(instance, 0).await.unwrap();
        page.lines.iter().flat_map(|line| [line.text.as_str(), "\n"]).collect()
    }

    pub(crate) async fn end(self) {
        in_time("the end", self.engine.shut_down()).await;
        let left: Vec<_> = std::fs::read_dir(self.folder.path().join("engine/instances")).unwrap().collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

/// Processes of the machine whose command line has this in it.
pub(crate) fn processes_with(mark: &str) -> Vec<u32> {
    let numbers = std::fs::read_dir("/proc").unwrap().filter_map(|entry| entry.unwrap().file_name().into_string().ok());
    let has = |number: &u32| {
        let line = std::fs::read(format!("/proc/{number}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(mark)
    };
    numbers.filter_map(|name| name.parse().ok()).filter(has).collect()
}

/// Control groups of engines in all trees.
pub(crate) fn groups_of(process: u32) -> Vec<PathBuf> {
    let mut found = Vec::new();
    walk(Path::new("/sys/fs/cgroup"), &format!("stoa-functions-{process}-"), &mut found);
    found
}

fn walk(folder: &Path, name: &str, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            if entry.file_name().to_string_lossy().starts_with(name) {
                found.push(entry.path());
            }
            walk(&entry.path(), name, found);
        }
    }
}
