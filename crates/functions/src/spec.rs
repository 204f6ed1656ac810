//! What a version asks for: its command and port, how much of the machine, how many instances, how long it may take.

mod check;
mod network;

use std::collections::BTreeMap;
use std::ops::Deref;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Isolation;

pub use check::SpecError;
pub use network::{Binding, Host, HostPattern, Network, PROXY_VARIABLES, PatternError};

/// A [`Draft`] that was found to be in order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Draft", into = "Draft")]
pub struct Spec(Draft);

impl Deref for Spec {
    type Target = Draft;

    fn deref(&self) -> &Draft {
        &self.0
    }
}

impl TryFrom<Draft> for Spec {
    type Error = SpecError;

    fn try_from(draft: Draft) -> Result<Self, SpecError> {
        check::check(&draft)?;
        Ok(Self(draft))
    }
}

impl From<Spec> for Draft {
    fn from(spec: Spec) -> Self {
        spec.0
    }
}

/// As people write it. The bounds are those of Alibaba's Function Compute 3.0.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Draft {
    /// The program and its arguments, run in the folder of the code.
    pub command: Vec<String>,
    /// Where it listens; also in its environment as `PORT`.
    pub port: u16,
    pub environment: BTreeMap<String, String>,
    /// In thousandths of a processor: 50 to 16,000 in steps of 50. Holds soon after the instance is ready.
    pub cpu_millis: u32,
    /// 128 to 32,768 in steps of 64.
    pub memory_mib: u32,
    /// What may be written to `/tmp`, and the largest file.
    pub disk_mib: u32,
    /// Requests that an instance takes at once.
    pub concurrency: u32,
    pub instances: Instances,
    pub idle: Idle,
    pub timeouts: Timeouts,
    pub health: Option<HealthCheck>,
    /// A command that must succeed after the port answers and before the first request.
    pub initializer: Option<Hook>,
    /// A command that runs when the instance shall end, before it is killed.
    pub pre_stop: Option<Hook>,
    /// How long an instance has from SIGTERM to SIGKILL.
    pub stop_grace_ms: u64,
    /// At most 8.
    pub volumes: Vec<Volume>,
    pub network: Network,
    /// Services beside what the network says.
    pub bindings: Vec<Binding>,
    /// The least that the host must give.
    pub isolation: Isolation,
    /// Interpreters that wait with the packages of this version read: 0 to 8, for commands that a [`Runtime`] runs.
    pub prepared: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Instances {
    pub minimum: u32,
    pub maximum: u32,
}

/// How long an instance without requests keeps what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Idle {
    /// Then it is frozen.
    pub freeze_ms: u64,
    /// Then it is stopped, unless it is one of the fewest that there shall be.
    pub stop_ms: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Timeouts {
    /// From the start of an instance until it is ready.
    pub start_ms: u64,
    /// From the request to the head of the answer.
    pub response_ms: u64,
    /// Between two pieces of an answer.
    pub silence_ms: u64,
    /// The whole answer; none for no limit, as streams want.
    pub total_ms: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HealthCheck {
    /// Answers a GET with 200 to 399.
    pub path: String,
    /// 1 to 120.
    #[serde(default = "three")]
    pub period_seconds: u32,
    /// 1 to 3.
    #[serde(default = "one")]
    pub timeout_seconds: u32,
    /// Failures in a row after which the instance is ended: 1 to 120.
    #[serde(default = "three")]
    pub failures: u32,
}

const fn one() -> u32 {
    1
}

const fn three() -> u32 {
    3
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hook {
    pub command: Vec<String>,
    pub timeout_ms: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Volume {
    /// The name of one of the owner's.
    pub volume: String,
    /// Where the function sees it, such as `/data` or `/mnt/photos`.
    pub path: String,
    pub read_only: bool,
}

impl Default for Draft {
    fn default() -> Self {
        Self {
            command: Vec::new(),
            port: 9000,
            environment: BTreeMap::new(),
            cpu_millis: 500,
            memory_mib: 512,
            disk_mib: 512,
            concurrency: 1,
            instances: Instances::default(),
            idle: Idle::default(),
            timeouts: Timeouts::default(),
            health: None,
            initializer: None,
            pre_stop: None,
            stop_grace_ms: 10_000,
            volumes: Vec::new(),
            network: Network::default(),
            bindings: Vec::new(),
            isolation: Isolation::default(),
            prepared: 0,
        }
    }
}

impl Default for Instances {
    fn default() -> Self {
        Self { minimum: 0, maximum: 10 }
    }
}

impl Default for Idle {
    fn default() -> Self {
        Self { freeze_ms: 5 * 60_000, stop_ms: 30 * 60_000 }
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { start_ms: 120_000, response_ms: 60_000, silence_ms: 60_000, total_ms: None }
    }
}

/// What runs a file, and can wait for which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Runtime {
    Python,
    Node,
}

impl Draft {
    /// The runtime, and what it is told, where the command is `python3 FILE`, `python3 -m MODULE` or `node FILE`: options of
    /// the interpreter itself come too late for one that waits. By the name that people write, found on the path like any other.
    pub fn script(&self) -> Option<(Runtime, &[String])> {
        let (program, arguments) = self.command.split_first()?;
        match (program.as_str(), arguments) {
            ("python3", [first, module, ..]) if first == "-m" && !module.starts_with('-') => {
                Some((Runtime::Python, arguments))
            }
            ("python3", [first, ..]) if !first.starts_with('-') => Some((Runtime::Python, arguments)),
            ("node", [first, ..]) if !first.starts_with('-') => Some((Runtime::Node, arguments)),
            _ => None,
        }
    }

    pub fn memory_bytes(&self) -> u64 {
        u64::from(self.memory_mib) * 1024 * 1024
    }

    pub fn disk_bytes(&self) -> u64 {
        u64::from(self.disk_mib) * 1024 * 1024
    }

    /// Whether it reaches anything beyond itself.
    pub fn needs_a_way_out(&self) -> bool {
        self.network != Network::None || !self.bindings.is_empty()
    }

    pub fn stop_grace(&self) -> Duration {
        Duration::from_millis(self.stop_grace_ms)
    }
}

impl Idle {
    pub fn freeze(self) -> Duration {
        Duration::from_millis(self.freeze_ms)
    }

    pub fn stop(self) -> Duration {
        Duration::from_millis(self.stop_ms)
    }
}

impl Timeouts {
    pub fn start(self) -> Duration {
        Duration::from_millis(self.start_ms)
    }
}

impl Hook {
    pub fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }
}
