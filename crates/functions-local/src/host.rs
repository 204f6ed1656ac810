//! This machine as the engine found it: what sandboxes are made of, and how well they keep.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{Mode, OFlags};
use stoa_confinement::{Landlock, Spawner};
use stoa_functions::{Capabilities, EngineError, Isolation, Version};
use stoa_functions_init::protocol::{Limits, Plan};
use stoa_model::Clock;
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

use crate::groups::{Groups, Kind};
use crate::leftovers::Home;
use crate::obstacles;
use crate::options::Options;
use crate::sandbox::{MakeError, Request, Sandbox};
use crate::users::Users;

/// Why functions cannot run on this machine.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("{} is not there: install bubblewrap, for example with `apt-get install bubblewrap`", .program.display())]
    NoBubblewrap { program: std::path::PathBuf },
    #[error("the folder of functions is used by another process")]
    FolderTaken,
    #[error("the folder of functions cannot be used")]
    Folder(#[source] io::Error),
    #[error("{} cannot be read", .path.display())]
    Part {
        path: std::path::PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("the thread that starts sandboxes cannot be started")]
    Spawner(#[source] io::Error),
    #[error("the control groups cannot be looked at")]
    Groups(#[source] io::Error),
    #[error("no sandbox can be made on this machine: {detail}{}", told(.obstacles))]
    Sandbox { detail: String, obstacles: Vec<&'static str> },
}

fn told(obstacles: &[&str]) -> String {
    [&[""], obstacles].concat().join("; ")
}

pub(crate) struct Host {
    pub(crate) options: Options,
    pub(crate) home: Home,
    pub(crate) init: OwnedFd,
    pub(crate) etc: OwnedFd,
    pub(crate) runtimes: Vec<OwnedFd>,
    pub(crate) groups: Groups,
    pub(crate) users: Option<Arc<Users>>,
    pub(crate) spawner: Spawner,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) tracker: TaskTracker,
    pub(crate) starts: Semaphore,
    /// Places for interpreters that wait for one version.
    pub(crate) prepared: Arc<Semaphore>,
    /// Connections out of all sandboxes together.
    pub(crate) seats_out: Arc<Semaphore>,
}

impl Host {
    /// Clears what a predecessor left, and tries a sandbox.
    pub(crate) async fn find(
        options: Options,
        clock: Arc<dyn Clock>,
        tracker: TaskTracker,
    ) -> Result<(Arc<Self>, Capabilities), StartError> {
        if !options.bwrap.is_file() {
            return Err(StartError::NoBubblewrap { program: options.bwrap });
        }
        let home = Home::take(&options.folder).map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock => StartError::FolderTaken,
            _ => StartError::Folder(error),
        })?;
        prepare_etc(&home.etc()).map_err(StartError::Folder)?;
        let part = |path: &Path| open(path).map_err(|source| StartError::Part { path: path.to_owned(), source });
        let runtimes = options.runtimes.iter().map(|runtime| part(runtime)).collect::<Result<_, _>>()?;
        let (init, etc) = (part(&options.init)?, part(&home.etc())?);
        let groups = if options.control_groups {
            Groups::make(|group| home.record_group(group)).map_err(StartError::Groups)?
        } else {
            Groups::NONE
        };
        let users = rustix::process::geteuid().is_root().then(|| Users::from(options.first_user));
        let spawner = Spawner::start("function-spawner").map_err(StartError::Spawner)?;
        let starts = Semaphore::new(options.starts_at_once.max(1));
        let prepared = Arc::new(Semaphore::new(options.prepared));
        let seats_out = Arc::new(Semaphore::new(options.outward.connections_in_all));
        let host = Arc::new(Self {
            options,
            home,
            init,
            etc,
            runtimes,
            groups,
            users,
            spawner,
            clock,
            tracker,
            starts,
            prepared,
            seats_out,
        });
        let landlock = host.try_sandbox().await.map_err(|error| {
            let (detail, obstacles) = (error.to_string(), obstacles::found());
            StartError::Sandbox { detail, obstacles }
        })?;
        let capabilities = host.capabilities(landlock);
        Ok((host, capabilities))
    }

    async fn try_sandbox(self: &Arc<Self>) -> Result<Landlock, MakeError> {
        let code = open(&self.home.instances())?;
        let plan = Plan {
            command: vec!["/bin/true".to_owned()],
            environment: std::collections::BTreeMap::new(),
            working_directory: "/".into(),
            writable: vec!["/tmp".into()],
            limits: self.limits(1024 * 1024),
            needs_landlock: false,
            port: None,
            takes_code: false,
            doors: Vec::new(),
        };
        let request = Request {
            name: "probe".to_owned(),
            plan,
            code,
            volumes: Vec::new(),
            user: None,
            disk_bytes: 1024 * 1024,
            memory_bytes: 64 * 1024 * 1024,
        };
        let sandbox = Sandbox::make(self, request).await?;
        sandbox.end().await;
        Ok(sandbox.landlock)
    }

    /// What can be told of volumes before anything starts.
    pub(crate) fn admit_volumes(&self, version: &Version) -> Result<(), EngineError> {
        let unsupported = |what| Err(EngineError::Unsupported { what });
        let (wanted, keys) = (&version.spec.volumes, &version.volumes);
        if wanted.len() != keys.len() {
            return unsupported("a volume that is nobody's");
        }
        if !wanted.is_empty() && self.options.volumes.is_none() {
            return unsupported("volumes");
        }
        // They share a user.
        if keys.iter().any(|key| Some(key.owner) != keys.first().map(|first| first.owner)) {
            return unsupported("volumes of several owners");
        }
        let hides = |path: &Path| {
            self.options.runtimes.iter().any(|runtime| runtime.starts_with(path) || path.starts_with(runtime))
        };
        if wanted.iter().any(|volume| hides(Path::new(&volume.path))) {
            return unsupported("a volume where this server has a further interpreter");
        }
        Ok(())
    }

    pub(crate) fn limits(&self, file_bytes: u64) -> Limits {
        Limits { open_files: self.options.open_files.into(), processes: self.options.processes.into(), file_bytes }
    }

    fn capabilities(&self, landlock: Landlock) -> Capabilities {
        let limits = match self.groups.limits.as_ref().map(|limits| limits.kind) {
            Some(Kind::V1) => "limits by control groups of version 1",
            Some(Kind::V2) => "limits by control groups of version 2",
            None => "no limits by control groups",
        };
        let freezer = if self.groups.freezer.is_some() { "frozen by control groups" } else { "frozen by signals" };
        let users = if self.users.is_some() { "a user for each instance" } else { "the user of the server" };
        let isolation = Isolation {
            landlock: landlock != Landlock::Absent,
            limits: self.groups.limits.is_some(),
            own_user: self.users.is_some(),
        };
        let details = ["bubblewrap and seccomp", &landlock.to_string(), limits, freezer, users].map(str::to_owned);
        Capabilities { isolation, details: details.to_vec() }
    }
}

/// To be mounted, or looked through: no link at its end, and what it is later is what it was found to be.
pub(crate) fn open(path: &Path) -> io::Result<OwnedFd> {
    Ok(rustix::fs::open(path, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?)
}

/// The little of `/etc` that programs look for.
fn prepare_etc(folder: &Path) -> io::Result<()> {
    for part in ["ssl/certs", "alternatives"] {
        std::fs::create_dir_all(folder.join(part))?;
    }
    let files = [
        ("passwd", "root:x:0:0:root:/nonexistent:/usr/sbin/nologin\nfunction:x:1000:1000::/tmp:/bin/sh\n"),
        ("group", "root:x:0:\nfunction:x:1000:\n"),
        ("hosts", "127.0.0.1 localhost function\n::1 localhost\n"),
        ("nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n"),
        ("resolv.conf", ""),
    ];
    for (name, text) in files {
        std::fs::write(folder.join(name), text)?;
    }
    for name in ["ld.so.cache", "localtime", "mime.types"] {
        let from = Path::new("/etc").join(name);
        if from.is_file() {
            std::fs::copy(from, folder.join(name))?;
        }
    }
    // The instances' users read it.
    for path in ["", "ssl", "ssl/certs", "alternatives"] {
        let mode = <std::fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o755);
        std::fs::set_permissions(folder.join(path), mode)?;
    }
    for name in ["passwd", "group", "hosts", "nsswitch.conf", "resolv.conf"] {
        let mode = <std::fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o644);
        std::fs::set_permissions(folder.join(name), mode)?;
    }
    Ok(())
}
