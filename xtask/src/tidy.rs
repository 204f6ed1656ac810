//! The rules of the tree that no compiler knows.

mod dependencies;
mod documents;
mod edges;
mod licences;
mod sources;

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};

use crate::workspace::{Metadata, Part};

/// A rule broken, and where.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    place: String,
    what: String,
}

impl Finding {
    fn new(place: impl fmt::Display, what: impl Into<String>) -> Self {
        Self { place: place.to_string(), what: what.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.place, self.what)
    }
}

/// Every rule over the whole tree.
pub(crate) fn check(root: &Path) -> anyhow::Result<Vec<Finding>> {
    let files = files(root)?;
    let metadata = Metadata::read(root)?;
    let policy = licences::Policy::read(&root.join("deny.toml"))?;
    let mut findings = sources::check(root, &files)?;
    findings.extend(edges::check(&metadata));
    findings.extend(edges::check_sizes(&metadata)?);
    findings.extend(dependencies::check(&metadata)?);
    findings.extend(policy.check(&metadata, &Part::read_all(root)?));
    findings.extend(documents::check(root, &files)?);
    findings.sort();
    Ok(findings)
}

/// Files of the project, relative to its root: those that git tracks or would track.
fn files(root: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let output = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root)
        .output()
        .context("cannot run git")?;
    ensure!(output.status.success(), "git ls-files failed: {}", String::from_utf8_lossy(&output.stderr));
    let listing = String::from_utf8(output.stdout).context("a file name that is not UTF-8")?;
    // A file deleted but not committed is still listed.
    Ok(listing.split_terminator('\0').map(PathBuf::from).filter(|file| root.join(file).is_file()).collect())
}
