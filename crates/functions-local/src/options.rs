//! What an operator may choose about functions on this machine.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::volumes::Volumes;
use crate::way_out::WayOut;

#[derive(Clone, Debug)]
pub struct Options {
    /// Belongs to one engine at a time. Nothing in it need be kept.
    pub folder: PathBuf,
    /// The program that runs `stoa_functions_init::run`, and what it is told before that one's own arguments.
    pub init: PathBuf,
    /// bubblewrap.
    pub bwrap: PathBuf,
    /// Folders beside `/usr` that every function may read, such as further interpreters. Their `bin` is on the path.
    pub runtimes: Vec<PathBuf>,
    /// Where the engine runs as root, the first of 65,536 users that instances are: users that nothing else is.
    pub first_user: u32,
    /// Whether instances are put into control groups, where this user may.
    pub control_groups: bool,
    /// Processes and threads of an instance.
    pub processes: u32,
    /// Descriptors of a process.
    pub open_files: u32,
    /// What is kept of an instance's output.
    pub log_bytes: usize,
    /// Instances that start at the same time; others wait. More do not start sooner.
    pub starts_at_once: usize,
    /// Interpreters that wait in their sandboxes for code, of each kind.
    pub waiting: usize,
    /// Interpreters that wait for one version each, of all versions together.
    pub prepared: usize,
    /// Jobs that run at the same time; others wait.
    pub jobs_at_once: usize,
    /// How functions reach what lies beyond them; none: those that ask for it are refused.
    pub way_out: Option<Arc<dyn WayOut>>,
    pub outward: Outward,
    /// Where volumes lie; none: those that ask for one are refused.
    pub volumes: Option<Arc<Volumes>>,
}

/// What connections out of a sandbox are held to.
#[derive(Clone, Copy, Debug)]
pub struct Outward {
    /// Of one instance at a time. More are closed.
    pub connections: usize,
    /// Of all instances together.
    pub connections_in_all: usize,
    /// One over which nothing has gone either way for so long is closed.
    pub idle: Duration,
    /// And every one after so long.
    pub longest: Duration,
}

impl Default for Outward {
    fn default() -> Self {
        Self {
            connections: 64,
            connections_in_all: 4_096,
            idle: Duration::from_mins(15),
            longest: Duration::from_hours(24),
        }
    }
}

impl Options {
    pub fn new(folder: PathBuf, init: PathBuf) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            folder,
            init,
            bwrap: PathBuf::from("/usr/bin/bwrap"),
            runtimes: Vec::new(),
            first_user: 2_000_000,
            control_groups: true,
            processes: 256,
            open_files: 1_024,
            log_bytes: 1024 * 1024,
            starts_at_once: cores * 2,
            waiting: 0,
            prepared: 32,
            jobs_at_once: (cores / 2).max(1),
            way_out: None,
            outward: Outward::default(),
            volumes: None,
        }
    }
}
