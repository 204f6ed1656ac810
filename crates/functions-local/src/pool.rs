//! Interpreters that wait in their sandboxes, locked and with nothing of anybody's, and take their code when it is wanted.
//!
//! The code appears in the folder that is mounted already: its files are linked into it from the host, which costs no
//! copying and needs no right to mount.

use std::sync::Arc;

use stoa_confinement::Landlock;
use stoa_functions::Version;
use stoa_functions::spec::Runtime;
use stoa_functions_init::protocol::Plan;

use crate::host::{self, Host};
use crate::instance::plan::{CODE, WRITABLE, base};
use crate::sandbox::{MakeError, Request, Sandbox};
use crate::shelf::Shelf;
use crate::{code, interpreter};

/// What a waiting interpreter has for `/tmp`: a size cannot be changed any more. That of a spec which says nothing.
const DISK_MIB: u32 = 512;

/// Until it is claimed.
const MEMORY_BYTES: u64 = 256 * 1024 * 1024;

pub(crate) struct Pool {
    host: Arc<Host>,
    python: Arc<Shelf>,
    node: Arc<Shelf>,
}

impl Pool {
    pub(crate) fn new(host: Arc<Host>) -> Arc<Self> {
        let shelf = |runtime, name| {
            let made = Arc::clone(&host);
            Shelf::new(&host, name, host.options.waiting, None, move |name| {
                let host = Arc::clone(&made);
                Box::pin(async move { make(&host, runtime, name).await })
            })
        };
        let (python, node) = (shelf(Runtime::Python, "python"), shelf(Runtime::Node, "node"));
        Arc::new(Self { host, python, node })
    }

    /// Makes what is missing, in the background.
    pub(crate) fn fill(&self) {
        self.python.fill();
        self.node.fill();
    }

    /// A sandbox in which the version runs, if one waits that fits.
    pub(crate) async fn claim(&self, version: &Version) -> Option<Sandbox> {
        let spec = &version.spec;
        let (runtime, arguments) = spec.script()?;
        if !spec.volumes.is_empty() || spec.disk_mib != DISK_MIB {
            return None;
        }
        let from = match runtime {
            Runtime::Python => &self.python,
            Runtime::Node => &self.node,
        };
        let sandbox = from.take(|one| !spec.isolation.landlock || one.landlock != Landlock::Absent)?;
        if let Err(error) = code::link(&version.code, &sandbox.folder()) {
            interpreter::untaken(&sandbox, &error.into()).await;
            return None;
        }
        interpreter::claim(&self.host, sandbox, version, arguments).await
    }

    pub(crate) fn waiting(&self) -> usize {
        self.python.waiting() + self.node.waiting()
    }

    pub(crate) async fn close(&self) {
        self.python.close().await;
        self.node.close().await;
    }
}

async fn make(host: &Arc<Host>, runtime: Runtime, name: String) -> Result<Sandbox, MakeError> {
    let folder = host.home.instances().join(&name);
    std::fs::create_dir(&folder)?;
    code::readable(&folder)?;
    let plan = Plan {
        command: interpreter::waiting(runtime),
        environment: base(host),
        working_directory: CODE.into(),
        writable: WRITABLE.map(Into::into).to_vec(),
        limits: host.limits(u64::from(DISK_MIB) * 1024 * 1024),
        // Whoever claims it may demand it.
        needs_landlock: false,
        port: None,
        takes_code: true,
        doors: Vec::new(),
    };
    let request = Request {
        name,
        plan,
        code: host::open(&folder)?,
        volumes: Vec::new(),
        user: None,
        disk_bytes: u64::from(DISK_MIB) * 1024 * 1024,
        memory_bytes: MEMORY_BYTES,
    };
    Sandbox::make(host, request).await
}
