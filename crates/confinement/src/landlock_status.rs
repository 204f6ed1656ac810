//! What Landlock says it enforces.

use std::fmt;

use landlock::{ABI, LandlockStatus, RestrictionStatus, RulesetStatus};
use serde::{Deserialize, Serialize};

/// The youngest version that brought something to deny (Linux 6.12).
pub const WHOLE_LANDLOCK: ABI = ABI::V6;

/// How much of what was asked for is in force.
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
    /// The kernel has none: files are kept away by their owners and by mounts alone.
    Absent,
}

impl From<RestrictionStatus> for Landlock {
    fn from(status: RestrictionStatus) -> Self {
        let abi = match status.landlock {
            LandlockStatus::Available { effective_abi, .. } => effective_abi as u32,
            _ => 0,
        };
        match status.ruleset {
            RulesetStatus::FullyEnforced => Self::Full { abi },
            RulesetStatus::PartiallyEnforced => Self::Partial { abi },
            RulesetStatus::NotEnforced => Self::Absent,
        }
    }
}

impl fmt::Display for Landlock {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full { abi } => write!(formatter, "landlock {abi}"),
            Self::Partial { abi } => write!(formatter, "a part of landlock ({abi})"),
            Self::Absent => write!(formatter, "no landlock"),
        }
    }
}
