//! What Landlock keeps from the worker: every file but its model's, every port, the signals and sockets of others. What the
//! drivers of devices need is let through where there are any.

use std::path::Path;

use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, LandlockStatus, PathBeneath, PathFd, Ruleset,
    RulesetAttr, RulesetCreatedAttr, RulesetStatus, Scope,
};
use stoa_models::protocol::{Landlock, LockProfile};

use super::{ConfinementError, drivers};

/// The youngest version that brought something to deny (Linux 6.12).
const WHOLE: ABI = ABI::V6;

/// Denies what this kernel knows of it.
pub(super) fn restrict_to<'p>(
    files: impl Iterator<Item = &'p Path>,
    written: Option<&Path>,
    profile: LockProfile,
) -> Result<Landlock, ConfinementError> {
    let mut rules = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(WHOLE))?
        .handle_access(AccessNet::from_all(WHOLE))?
        .scope(Scope::from_all(WHOLE))?
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
    let status = rules.restrict_self()?;
    let abi = match status.landlock {
        LandlockStatus::Available { effective_abi, .. } => effective_abi as u32,
        _ => 0,
    };
    Ok(match status.ruleset {
        RulesetStatus::FullyEnforced => Landlock::Full { abi },
        RulesetStatus::PartiallyEnforced => Landlock::Partial { abi },
        RulesetStatus::NotEnforced => Landlock::Absent,
    })
}
