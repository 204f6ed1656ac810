//! How well a host keeps its functions apart, and how well a function demands it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What keeps an instance from others and from the host, beside what always does: namespaces of its own for files,
/// processes, network and the rest, and a filter of system calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Isolation {
    /// Landlock, as a second layer over the mounts.
    pub landlock: bool,
    /// Control groups that hold CPU, memory and the number of processes.
    pub limits: bool,
    /// A user for each instance, which is not the server's.
    pub own_user: bool,
}

impl Isolation {
    pub const FULL: Self = Self { landlock: true, limits: true, own_user: true };
    pub const NAMESPACES: Self = Self { landlock: false, limits: false, own_user: false };

    /// What of `demanded` is missing here, as words; empty when nothing is.
    pub fn missing(self, demanded: Self) -> Vec<&'static str> {
        [
            (demanded.landlock && !self.landlock, "landlock"),
            (demanded.limits && !self.limits, "limits"),
            (demanded.own_user && !self.own_user, "own_user"),
        ]
        .into_iter()
        .filter_map(|(missing, name)| missing.then_some(name))
        .collect()
    }
}

/// What a function gets where it says nothing: that every instance keeps to its limits and its files. A user of its own
/// needs a server that runs as root, which is no better.
impl Default for Isolation {
    fn default() -> Self {
        Self { landlock: true, limits: true, own_user: false }
    }
}

/// What an engine found at its start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Capabilities {
    pub isolation: Isolation,
    /// For people: which program makes sandboxes, which Landlock, which control groups.
    pub details: Vec<String>,
}

impl fmt::Display for Capabilities {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.details.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::Isolation;

    #[test]
    fn what_is_missing_is_named() {
        assert_eq!(Isolation::FULL.missing(Isolation::FULL), Vec::<&str>::new());
        assert_eq!(Isolation::NAMESPACES.missing(Isolation::FULL), ["landlock", "limits", "own_user"]);
        assert_eq!(Isolation::NAMESPACES.missing(Isolation::default()), ["landlock", "limits"]);
    }
}
