//! Locks the sandbox from within, before the first byte of the function runs.

mod files;
mod system_calls;

use rustix::process::{DumpableBehavior, Resource, Rlimit};
use stoa_confinement::Landlock;

use crate::protocol::{Failure, Limits, Plan};

/// When memory runs out, a function goes before the server and before most others.
const OOM_SCORE: &str = "800";

#[derive(Debug, thiserror::Error)]
enum LockError {
    #[error("its privileges could not be given up")]
    Privileges(#[source] rustix::io::Errno),
    #[error("the limits cannot be set")]
    Limits(#[source] rustix::io::Errno),
    #[error("it cannot offer itself to the out-of-memory killer")]
    OutOfMemory(#[source] std::io::Error),
    #[error("a place that shall be written is not there")]
    Place(#[from] landlock::PathFdError),
    #[error("Landlock refused the rules")]
    Rules(#[from] landlock::RulesetError),
    #[error("seccomp refused the filter")]
    Filter(#[from] seccompiler::Error),
    #[error("the filter could not be made for this processor")]
    Compile(#[from] seccompiler::BackendError),
    #[error("the kernel says that no filter is in force")]
    NotInForce,
}

/// Holds for this process and all that it starts.
pub(crate) fn lock(plan: &Plan) -> Result<Landlock, Failure> {
    let landlock = apply(plan).map_err(|error| {
        let source = std::error::Error::source(&error).map(|source| format!(": {source}")).unwrap_or_default();
        Failure::Lock { detail: format!("{error}{source}") }
    })?;
    if plan.needs_landlock && landlock == Landlock::Absent {
        return Err(Failure::NoLandlock);
    }
    Ok(landlock)
}

fn apply(plan: &Plan) -> Result<Landlock, LockError> {
    std::fs::write("/proc/self/oom_score_adj", OOM_SCORE).map_err(LockError::OutOfMemory)?;
    rustix::thread::set_no_new_privs(true).map_err(LockError::Privileges)?;
    // What runs in here is the same user, and gets neither at this process's memory nor at its socket.
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(LockError::Privileges)?;
    limit(plan.limits)?;
    let landlock = files::restrict(&plan.writable)?;
    system_calls::restrict()?;
    if stoa_confinement::seccomp::is_in_force() { Ok(landlock) } else { Err(LockError::NotInForce) }
}

fn limit(limits: Limits) -> Result<(), LockError> {
    let set = |resource, maximum| {
        let limit = Rlimit { current: Some(maximum), maximum: Some(maximum) };
        rustix::process::setrlimit(resource, limit).map_err(LockError::Limits)
    };
    set(Resource::Core, 0)?;
    set(Resource::Nofile, limits.open_files)?;
    set(Resource::Nproc, limits.processes)?;
    set(Resource::Fsize, limits.file_bytes)?;
    set(Resource::Memlock, 64 * 1024)
}
