//! What Landlock keeps from the worker: every file but its model's, every port, the signals and sockets of others. What the
//! drivers of devices need is let through where there are any.

use std::path::Path;

use landlock::{
    Access, AccessFs, AccessNet, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset, RulesetAttr,
    RulesetCreatedAttr, Scope,
};
use stoa_confinement::{Landlock, WHOLE_LANDLOCK};
use stoa_models::protocol::LockProfile;

use super::{ConfinementError, drivers};

/// Denies what this kernel knows of it.
pub(super) fn restrict_to<'p>(
    files: impl Iterator<Item = &'p Path>,
    written: Option<&Path>,
    profile: LockProfile,
) -> Result<Landlock, ConfinementError> {
    let mut rules = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(WHOLE_LANDLOCK))?
        .handle_access(AccessNet::from_all(WHOLE_LANDLOCK))?
        .scope(Scope::from_all(WHOLE_LANDLOCK))?
        .create()?;
    for file in files {
        rules = rules.add_rule(PathBeneath::new(PathFd::new(file)?, AccessFs::ReadFile))?;
    }
    if let Some(file) = written {
        let write = AccessFs::ReadFile | AccessFs::WriteFile | AccessFs::Truncate;
        rules = rules.add_rule(PathBeneath::new(PathFd::new(file)?, write))?;
    }
    if profile == LockProfile::Devices {
        for (path, access) in drivers::files() {
            rules = rules.add_rule(PathBeneath::new(path, access))?;
        }
    }
    Ok(rules.restrict_self()?.into())
}
