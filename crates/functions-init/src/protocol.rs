//! What the engine and the first process of a sandbox say to each other, in packets of JSON, some with descriptors.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use stoa_confinement::Landlock;

/// The most bytes of a packet. What is larger travels as a file.
pub const MAX_PACKET_BYTES: usize = 64 * 1024;

/// The most bytes of a plan.
pub const MAX_PLAN_BYTES: u64 = 4 * 1024 * 1024;

/// The most descriptors with a packet: the code, the init, volumes.
pub const MAX_DESCRIPTORS: usize = 64;

/// To outer: become this program. An argument `@N` stands for the N-th descriptor that comes with it: its number, or a path
/// where there is a user.
#[derive(Debug, Serialize, Deserialize)]
pub struct Become {
    pub program: PathBuf,
    pub arguments: Vec<String>,
    /// Who to be, where outer is root.
    pub user: Option<u32>,
}

/// What shall run in the sandbox, and how. Comes as a file with [`Order::Start`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Plan {
    pub command: Vec<String>,
    pub environment: BTreeMap<String, String>,
    pub working_directory: PathBuf,
    /// Where the function may write; everything else that it sees is to be read.
    pub writable: Vec<PathBuf>,
    pub limits: Limits,
    /// Without Landlock nothing is started.
    pub needs_landlock: bool,
    /// The port that is waited for.
    pub port: Option<u16>,
    /// Whether it is an interpreter that waits for its code, at its standard input.
    pub takes_code: bool,
    /// Ports that lead out.
    pub doors: Vec<u16>,
}

/// What the kernel holds every process of the sandbox to.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Limits {
    pub open_files: u64,
    pub processes: u64,
    /// Bytes of one file.
    pub file_bytes: u64,
}

/// The code that a waiting interpreter shall run. Comes as a file with [`Order::Claim`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Claim {
    /// What comes after the interpreter: the file, or `-m` and a module, and arguments.
    pub arguments: Vec<String>,
    pub environment: BTreeMap<String, String>,
    pub port: u16,
    pub doors: Vec<u16>,
}

/// To inner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// With a file that holds the [`Plan`].
    Start,
    /// With a file that holds the [`Claim`].
    Claim,
    /// A connection to the port.
    Connect { ticket: u64 },
    /// A command beside the function's own, killed after so long.
    Hook(Hook),
    /// SIGTERM to the function's process group, and then a hook, for which the sandbox's end waits.
    Terminate { hook: Option<Hook> },
    /// SIGSTOP to all, where there is no freezer of control groups.
    Stop,
    /// SIGCONT to all.
    Continue,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hook {
    pub ticket: u64,
    pub command: Vec<String>,
    pub limit_ms: u64,
}

/// From inner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Notice {
    /// The lock is in force, and nothing of the function has run yet.
    Locked {
        landlock: Landlock,
    },
    /// The command runs.
    Started,
    /// The port answers. With the connection that found out.
    Listening,
    /// With the connection.
    Connected {
        ticket: u64,
    },
    NotConnected {
        ticket: u64,
        errno: i32,
    },
    HookEnded {
        ticket: u64,
        ended: Ended,
    },
    /// Somebody connected to a door. With the connection.
    Outward {
        port: u16,
    },
    /// All orders before have been carried out.
    Done,
    /// The function's command is over, and with it the sandbox.
    Exited {
        ended: Ended,
    },
    /// Nothing has been started.
    Failed {
        failure: Failure,
    },
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    Code(i32),
    Signal(i32),
    /// It could not be started at all.
    NotStarted {
        errno: i32,
    },
}

/// Why nothing was started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum Failure {
    #[error("the plan is not one")]
    Plan,
    #[error("the sandbox cannot be locked: {detail}")]
    Lock { detail: String },
    #[error("this kernel has no Landlock, which the function demands")]
    NoLandlock,
    #[error("the command cannot be started (error {errno}): is it there, and may it be executed?")]
    Command { errno: i32 },
    #[error("the port {port}, which leads out, cannot be listened at (error {errno})")]
    Door { port: u16, errno: i32 },
}
