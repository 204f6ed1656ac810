//! Volumes: folders that functions of one person share, what is said of them, and the paths of what lies in them.

use std::ops::RangeInclusive;

use serde::Serialize;

use crate::assistant::{InvalidProfile, text, wrong};
use crate::{FunctionVolumeId, Timestamp, UserId};

/// Volumes of one person.
pub const MAX_VOLUMES: u64 = 20;
/// How large one may be, in MiB.
pub const SIZE_MIB: RangeInclusive<u32> = 64..=1_048_576;
/// Where nothing is said.
pub const DEFAULT_SIZE_MIB: u32 = 1_024;

const MAX_DESCRIPTION: usize = 1_000;
/// What systems take at once.
const MAX_PATH_BYTES: usize = 4_000;
const MAX_NAME_BYTES: usize = 255;

/// A folder that functions of its owner read and write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct FunctionVolume {
    pub id: FunctionVolumeId,
    /// Among those of its owner; never changes.
    pub name: String,
    pub description: String,
    /// What all its files may take, in MiB.
    pub size_mib: u32,
    pub created_at: Timestamp,
    /// The names of the functions whose settings, or versions that an alias leads to, mount it.
    pub functions: Vec<String>,
    #[serde(skip)]
    pub owner: UserId,
}

impl FunctionVolume {
    pub fn most_bytes(&self) -> u64 {
        u64::from(self.size_mib) << 20
    }
}

pub fn description(given: &str) -> Result<String, InvalidProfile> {
    text("description", given, MAX_DESCRIPTION)
}

pub fn size(mib: u32) -> Result<u32, InvalidProfile> {
    if SIZE_MIB.contains(&mib) {
        return Ok(mib);
    }
    Err(wrong("size_mib", format!("{} to {} MiB", SIZE_MIB.start(), SIZE_MIB.end())))
}

/// The path of something within a volume, from its top folder. The top folder itself is the empty path.
pub fn path(field: &'static str, given: &str) -> Result<String, InvalidProfile> {
    let fits = |name: &str| {
        !name.is_empty() && name != "." && name != ".." && name.len() <= MAX_NAME_BYTES && !name.contains('\0')
    };
    if given.is_empty() || (given.len() <= MAX_PATH_BYTES && given.split('/').all(fits)) {
        return Ok(given.to_owned());
    }
    Err(wrong(field, format!("`{}` is no path in a volume", given.escape_debug())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_in_the_volume_and_sizes_in_their_bounds() {
        for given in ["", "a", "a/b c/数据.json", ".hidden", "a\\b", "..."] {
            assert!(path("path", given).is_ok(), "{given}");
        }
        for given in ["/", "/etc", "..", "a/..", "./a", "a//b", "a/", "a\0", &"n".repeat(256), &"a/".repeat(2_001)] {
            assert_eq!(path("path", given).unwrap_err().field, "path", "{given:?}");
        }
        assert!([64, 1_024, 1_048_576].into_iter().all(|mib| size(mib).is_ok()));
        assert!([0, 63, 1_048_577].into_iter().all(|mib| size(mib).is_err()));
    }
}
