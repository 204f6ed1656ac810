//! How a worker has locked itself in before it read its model.

use std::fmt;

use serde::{Deserialize, Serialize};
pub use stoa_confinement::Landlock;

/// As the kernel told the worker after the fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Confinement {
    /// What the kernel keeps from the worker: files other than its model, ports, and the signals and sockets of other
    /// processes.
    pub landlock: Landlock,
    /// Only the system calls that computing needs are let through. A worker for which this does not hold reads no model.
    pub seccomp: bool,
    pub profile: LockProfile,
}

/// What a worker keeps beside its model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LockProfile {
    /// Nothing.
    #[default]
    Processor,
    /// The nodes of devices, the libraries of their drivers, and the system calls that those make.
    Devices,
    /// One file to write.
    Writing,
}

impl fmt::Display for Confinement {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}, {}", self.landlock, if self.seccomp { "seccomp" } else { "no seccomp" })?;
        match self.profile {
            LockProfile::Processor => Ok(()),
            LockProfile::Writing => write!(formatter, ", with one file to write"),
            LockProfile::Devices => write!(formatter, ", with what devices need"),
        }
    }
}
