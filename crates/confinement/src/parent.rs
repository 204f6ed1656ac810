//! The tie of a process to the one that started it.

use rustix::process::{Pid, Signal};

/// Why a process is not tied to its parent.
#[derive(Debug, thiserror::Error)]
pub enum Orphan {
    #[error("the process that started this one is gone")]
    Gone,
    #[error("this process cannot be tied to its parent")]
    Refused(#[source] rustix::io::Errno),
}

/// From here on, the kernel kills this process when the thread that started it ends. `parent` is that thread's process.
pub fn end_with_parent(parent: u32) -> Result<(), Orphan> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).map_err(Orphan::Refused)?;
    // It may have died just before, and then no signal comes.
    let expected = i32::try_from(parent).ok().and_then(Pid::from_raw);
    if expected.is_some() && rustix::process::getppid() == expected { Ok(()) } else { Err(Orphan::Gone) }
}
