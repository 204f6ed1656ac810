//! Locks the worker in, before its first thread starts and before it reads a byte of its model. What is given up here
//! cannot be had again.

mod files;
mod privileges;
mod system_calls;

use std::path::Path;

use rustix::thread::SecureComputingMode;
use stoa_models::protocol::{Confinement, LoadFailure};

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
}

/// From here on, this thread and all that it starts see `model`, its `projector`, and no other file, and make no system call but those that
/// computing needs. What is open already stays open.
pub(crate) fn lock_in(model: &Path, projector: Option<&Path>) -> Result<Confinement, LoadFailure> {
    confine(std::iter::once(model).chain(projector)).map_err(|error| {
        tracing::error!(error = &error as &dyn std::error::Error, "the worker cannot lock itself in");
        match error {
            ConfinementError::Model(_) => LoadFailure::Model,
            error => LoadFailure::Confinement { detail: error.to_string() },
        }
    })
}

fn confine<'p>(files: impl Iterator<Item = &'p Path>) -> Result<Confinement, ConfinementError> {
    privileges::drop_all().map_err(ConfinementError::Privileges)?;
    let landlock = files::restrict_to(files)?;
    system_calls::restrict()?;
    match rustix::thread::secure_computing_mode() {
        Ok(SecureComputingMode::Filter) => Ok(Confinement { landlock, seccomp: true }),
        _ => Err(ConfinementError::NotInForce),
    }
}
