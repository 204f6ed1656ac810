//! How a worker has locked itself in before it read its model.

use std::fmt;

use serde::{Deserialize, Serialize};

/// As the kernel told the worker after the fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Confinement {
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

/// What the kernel's Landlock keeps from the worker: files other than its model, ports, and the signals and sockets of
/// other processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Landlock {
    Full {
        abi: u32,
    },
    /// An old kernel knows a part of it only.
    Partial {
        abi: u32,
    },
    /// The kernel has none: the worker may read what the server's user may read.
    Absent,
}

impl fmt::Display for Confinement {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.landlock {
            Landlock::Full { abi } => write!(formatter, "landlock {abi}")?,
            Landlock::Partial { abi } => write!(formatter, "a part of landlock ({abi})")?,
            Landlock::Absent => write!(formatter, "no landlock")?,
        }
        write!(formatter, ", {}", if self.seccomp { "seccomp" } else { "no seccomp" })?;
        match self.profile {
            LockProfile::Processor => Ok(()),
            LockProfile::Writing => write!(formatter, ", with one file to write"),
            LockProfile::Devices => write!(formatter, ", with what devices need"),
        }
    }
}
