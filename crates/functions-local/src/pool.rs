//! Interpreters that wait in their sandboxes, locked and with nothing of anybody's, and take their code when it is wanted.
//!
//! The code appears in the folder that is mounted already: its files are linked into it from the host, which costs no
//! copying and needs no right to mount.

mod code;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use stoa_confinement::Landlock;
use stoa_functions::Version;
use stoa_functions_init::protocol::{Claim, Plan};

use crate::host::{self, Host};
use crate::instance::environment;
use crate::instance::plan::{CODE, WRITABLE, base};
use crate::sandbox::{MakeError, Request, Sandbox};
use crate::ways::Wanted;

pub(crate) use code::readable;

/// What a waiting interpreter has for `/tmp`: a size cannot be changed any more. That of a spec which says nothing.
const DISK_MIB: u32 = 512;

/// Until it is claimed.
const MEMORY_BYTES: u64 = 256 * 1024 * 1024;

/// Waits for a line of JSON with what to run, and becomes that.
const PYTHON: &str = include_str!("pool/wait.py");
const NODE: &str = include_str!("pool/wait.js");

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Interpreter {
    Python,
    Node,
}

const ALL: [Interpreter; 2] = [Interpreter::Python, Interpreter::Node];

impl Interpreter {
    /// By the name that people write, found on the path like any other.
    fn of(program: &str) -> Option<Self> {
        match program {
            "python3" => Some(Self::Python),
            "node" => Some(Self::Node),
            _ => None,
        }
    }

    fn command(self) -> Vec<String> {
        let words = match self {
            Self::Python => ["python3", "-c", PYTHON],
            Self::Node => ["node", "-e", NODE],
        };
        words.map(str::to_owned).to_vec()
    }

    fn name(self) -> &'static str {
        match self {
            Self::Python => "python",
            Self::Node => "node",
        }
    }
}

pub(crate) struct Pool {
    host: Arc<Host>,
    shelves: Mutex<Shelves>,
}

#[derive(Default)]
struct Shelves {
    waiting: VecDeque<(Interpreter, Sandbox)>,
    /// Those that will wait soon.
    making: Vec<Interpreter>,
    made: u64,
    closed: bool,
}

impl Pool {
    pub(crate) fn new(host: Arc<Host>) -> Arc<Self> {
        Arc::new(Self { host, shelves: Mutex::default() })
    }

    fn shelves(&self) -> std::sync::MutexGuard<'_, Shelves> {
        self.shelves.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes what is missing, in the background.
    pub(crate) fn fill(self: &Arc<Self>) {
        let dead: VecDeque<_> = {
            let mut shelves = self.shelves();
            let all = std::mem::take(&mut shelves.waiting);
            let (alive, dead) = all.into_iter().partition(|(_, sandbox)| sandbox.is_alive());
            shelves.waiting = alive;
            dead
        };
        for (_, sandbox) in dead {
            self.host.tracker.spawn(async move { sandbox.end().await });
        }
        for interpreter in ALL {
            let missing = {
                let mut shelves = self.shelves();
                let kinds = shelves.waiting.iter().map(|(kind, _)| kind).chain(&shelves.making);
                let there = kinds.filter(|kind| **kind == interpreter).count();
                let missing = if shelves.closed { 0 } else { self.host.options.waiting.saturating_sub(there) };
                shelves.making.extend(std::iter::repeat_n(interpreter, missing));
                missing
            };
            for _ in 0..missing {
                let pool = Arc::clone(self);
                self.host.tracker.spawn(async move { pool.add(interpreter).await });
            }
        }
    }

    async fn add(&self, interpreter: Interpreter) {
        let name = {
            let mut shelves = self.shelves();
            shelves.made += 1;
            // No instance is called so.
            format!("waiting.{}.{}", interpreter.name(), shelves.made)
        };
        let made = self.make(interpreter, name).await;
        {
            let mut shelves = self.shelves();
            if let Some(place) = shelves.making.iter().position(|kind| *kind == interpreter) {
                shelves.making.swap_remove(place);
            }
        }
        match made {
            Ok(sandbox) => {
                let refused = {
                    let mut shelves = self.shelves();
                    if shelves.closed {
                        Some(sandbox)
                    } else {
                        shelves.waiting.push_back((interpreter, sandbox));
                        None
                    }
                };
                if let Some(sandbox) = refused {
                    sandbox.end().await;
                }
            }
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, interpreter = interpreter.name(), "no interpreter waits for functions");
            }
        }
    }

    async fn make(&self, interpreter: Interpreter, name: String) -> Result<Sandbox, MakeError> {
        let folder = self.host.home.instances().join(&name);
        std::fs::create_dir(&folder)?;
        readable(&folder)?;
        let plan = Plan {
            command: interpreter.command(),
            environment: base(&self.host),
            working_directory: CODE.into(),
            writable: WRITABLE.map(Into::into).to_vec(),
            limits: self.host.limits(u64::from(DISK_MIB) * 1024 * 1024),
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
        Sandbox::make(&self.host, request).await
    }

    /// A sandbox in which the version runs, if one waits that fits.
    pub(crate) async fn claim(&self, version: &Version) -> Option<Sandbox> {
        let spec = &version.spec;
        let (program, arguments) = spec.command.split_first()?;
        let interpreter = Interpreter::of(program)?;
        // Options of the interpreter itself came too late.
        let runs_a_file = arguments.first().is_some_and(|first| !first.starts_with('-'));
        if !runs_a_file || !spec.volumes.is_empty() || spec.disk_mib != DISK_MIB {
            return None;
        }
        let sandbox = {
            let mut shelves = self.shelves();
            let fits = |(kind, sandbox): &(Interpreter, Sandbox)| {
                let locked = !spec.isolation.landlock || sandbox.landlock != Landlock::Absent;
                *kind == interpreter && sandbox.is_alive() && locked
            };
            let place = shelves.waiting.iter().position(fits)?;
            shelves.waiting.remove(place)?.1
        };
        let claim = Claim {
            arguments: arguments.to_vec(),
            environment: environment(&self.host, version),
            port: spec.port,
            doors: Wanted::by_spec(spec).ports(),
        };
        let claimed = async {
            code::link(&version.code, &sandbox.folder())?;
            sandbox.claim(&claim, spec.memory_bytes()).await
        };
        match claimed.await {
            Ok(()) => Some(sandbox),
            // It starts as if none had waited.
            Err(error) => {
                tracing::debug!(error = &error as &dyn std::error::Error, "a waiting interpreter was not taken");
                sandbox.end().await;
                None
            }
        }
    }

    pub(crate) fn waiting(&self) -> usize {
        self.shelves().waiting.len()
    }

    pub(crate) async fn close(&self) {
        let waiting = {
            let mut shelves = self.shelves();
            shelves.closed = true;
            std::mem::take(&mut shelves.waiting)
        };
        for (_, sandbox) in waiting {
            sandbox.end().await;
        }
    }
}
