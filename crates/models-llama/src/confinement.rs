//! Locks the worker in, before its first thread starts and before it reads a byte of its model. What is given up here
//! cannot be had again.

mod drivers;
mod files;
mod privileges;
mod system_calls;

use std::path::Path;

use stoa_models::protocol::{Confinement, Landlock, LoadFailure, LockProfile};

/// Why a worker could not be locked in.
#[derive(Debug, thiserror::Error)]
enum ConfinementError {
    #[error("its privileges could not be given up")]
    Privileges(#[source] rustix::io::Errno),
    #[error("a file of the model cannot be found")]
    Model(#[from] landlock::PathFdError),
    #[error("Landlock refused the rules")]
    Rules(#[from] landlock::RulesetError),
    #[error("seccomp refused the filter")]
    Filter(#[from] seccompiler::Error),
    #[error("the filter could not be made for this processor")]
    Compile(#[from] seccompiler::BackendError),
    #[error("the kernel says that no filter is in force")]
    NotInForce,
    #[error("this kernel has no Landlock, without which this worker could write to every file of the server's user")]
    NoLandlock,
}

/// From here on, this thread and all that it starts see `files` and no other, and make no system call but those that
/// computing needs. `written` is the one that may be written. What is open already stays open. Where devices are computed on, their drivers see and do what they need
/// beside.
pub(crate) fn lock_in<'p>(
    files: impl Iterator<Item = &'p Path>,
    written: Option<&Path>,
    profile: LockProfile,
) -> Result<Confinement, LoadFailure> {
    confine(files, written, profile).map_err(|error| {
        tracing::error!(error = &error as &dyn std::error::Error, "the worker cannot lock itself in");
        match error {
            ConfinementError::Model(_) => LoadFailure::Model,
            error => LoadFailure::Confinement { detail: error.to_string() },
        }
    })
}

fn confine<'p>(
    files: impl Iterator<Item = &'p Path>,
    written: Option<&Path>,
    profile: LockProfile,
) -> Result<Confinement, ConfinementError> {
    privileges::drop_all().map_err(ConfinementError::Privileges)?;
    let landlock = files::restrict_to(files, written, profile)?;
    if profile != LockProfile::Processor && landlock == Landlock::Absent {
        return Err(ConfinementError::NoLandlock);
    }
    system_calls::restrict(profile)?;
    if stoa_confinement::seccomp::is_in_force() {
        Ok(Confinement { landlock, seccomp: true, profile })
    } else {
        Err(ConfinementError::NotInForce)
    }
}
