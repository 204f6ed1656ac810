//! Landlock as a second layer over the mounts: what is seen may be read and run, and only a few places may be written.

use std::path::PathBuf;

use landlock::{
    Access, AccessFs, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset, RulesetAttr, RulesetCreatedAttr, Scope,
};
use stoa_confinement::{Landlock, WHOLE_LANDLOCK};

use super::LockError;

/// Devices that programs write to.
const DEVICES: [&str; 6] = ["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty"];

/// Denies what this kernel knows of it. Networks are no matter of Landlock here: there is one, and it is the sandbox's own.
pub(super) fn restrict(writable: &[PathBuf]) -> Result<Landlock, LockError> {
    let mut rules = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(WHOLE_LANDLOCK))?
        .scope(Scope::from_all(WHOLE_LANDLOCK))?
        .create()?
        .add_rule(PathBeneath::new(PathFd::new("/")?, AccessFs::from_read(WHOLE_LANDLOCK)))?;
    for device in DEVICES {
        let access = AccessFs::ReadFile | AccessFs::WriteFile | AccessFs::IoctlDev;
        rules = rules.add_rule(PathBeneath::new(PathFd::new(device)?, access))?;
    }
    // Devices, which nobody makes there anyhow, are no part of it.
    let write = AccessFs::from_all(WHOLE_LANDLOCK) & !(AccessFs::MakeChar | AccessFs::MakeBlock);
    for place in writable {
        rules = rules.add_rule(PathBeneath::new(PathFd::new(place)?, write))?;
    }
    Ok(rules.restrict_self()?.into())
}
