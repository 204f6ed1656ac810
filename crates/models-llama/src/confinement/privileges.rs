//! What a server that runs as root would hand down to its workers.

use rustix::io::Errno;
use rustix::process::DumpableBehavior;
use rustix::thread::{CapabilitySet, CapabilitySets};

/// Keeps no privilege but that to read the model, whoever owns its file on a shared volume; Landlock says which file.
pub(super) fn drop_all() -> Result<(), Errno> {
    rustix::thread::set_no_new_privs(true)?;
    // Neither a debugger of the same user nor a core gets at what people wrote.
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    let now = rustix::thread::capabilities(None)?;
    let kept = now.permitted & CapabilitySet::DAC_READ_SEARCH;
    rustix::thread::set_capabilities(
        None,
        CapabilitySets { effective: kept, permitted: kept, inheritable: CapabilitySet::empty() },
    )
}
