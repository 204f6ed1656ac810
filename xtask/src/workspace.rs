//! What cargo knows about the workspace.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};
use serde::Deserialize;

/// The parts of `cargo metadata` that the rules need.
#[derive(Debug, Deserialize)]
pub(crate) struct Metadata {
    pub(crate) packages: Vec<Package>,
    pub(crate) workspace_members: Vec<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Package {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) manifest_path: PathBuf,
    pub(crate) dependencies: Vec<Dependency>,
    pub(crate) source: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    pub(crate) rename: Option<String>,
    /// `None` for ordinary ones, else `dev` or `build`.
    pub(crate) kind: Option<String>,
    pub(crate) path: Option<PathBuf>,
}

impl Metadata {
    pub(crate) fn read(root: &Path) -> anyhow::Result<Self> {
        let output = cargo(root, &["metadata", "--format-version", "1", "--locked"])?;
        serde_json::from_slice(&output).context("cannot read the output of cargo metadata")
    }

    /// The workspace's own packages.
    pub(crate) fn members(&self) -> impl Iterator<Item = &Package> {
        self.packages.iter().filter(|package| self.workspace_members.contains(&package.id))
    }
}

/// A crate that the programs are built from or with, by the features that are really on. `cargo metadata` would also list
/// optional crates that nothing switches on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Part {
    pub(crate) name: String,
    pub(crate) version: String,
    /// An SPDX expression; empty if the crate names none.
    pub(crate) licence: String,
}

impl Part {
    /// All crates in the programs for Linux on x86-64.
    pub(crate) fn read_all(root: &Path) -> anyhow::Result<Vec<Self>> {
        let output = cargo(
            root,
            &[
                "tree",
                "--workspace",
                "--locked",
                "--target=x86_64-unknown-linux-gnu",
                "--edges=normal,build",
                "--prefix=none",
                "--no-dedupe",
                "--format={p}|{l}",
            ],
        )?;
        let listing = String::from_utf8(output).context("cargo tree answers in UTF-8")?;
        let mut parts: Vec<Self> = listing.lines().filter_map(Self::parse).collect();
        parts.sort();
        parts.dedup();
        Ok(parts)
    }

    /// From a line such as `serde v1.0.229 (proc-macro)|MIT OR Apache-2.0`.
    fn parse(line: &str) -> Option<Self> {
        let (package, licence) = line.split_once('|')?;
        let mut words = package.split_whitespace();
        let name = words.next()?.to_owned();
        let version = words.next()?.strip_prefix('v')?.to_owned();
        Some(Self { name, version, licence: licence.trim().to_owned() })
    }
}

fn cargo(root: &Path, arguments: &[&str]) -> anyhow::Result<Vec<u8>> {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(program).args(arguments).current_dir(root).output().context("cannot run cargo")?;
    let name = arguments.first().unwrap_or(&"");
    ensure!(output.status.success(), "cargo {name} failed: {}", String::from_utf8_lossy(&output.stderr));
    Ok(output.stdout)
}

impl Package {
    pub(crate) fn folder(&self) -> &Path {
        self.manifest_path.parent().unwrap_or(&self.manifest_path)
    }
}
