//! Which crate may depend on which, and how large one may grow.

use std::fs;
use std::path::Path;

use anyhow::Context;

use super::Finding;
use crate::workspace::{Metadata, Package};

/// Crates that move bytes and know nothing of the product. They may depend on each other only.
const MECHANISM: &[&str] =
    &["stoa-confinement", "stoa-egress", "stoa-jobs", "stoa-listener", "stoa-objects", "stoa-telemetry"];

/// Our crates that each crate may use, outside tests. A new edge is a commit of its own that changes this table.
const EDGES: &[(&str, &[&str])] = &[
    ("stoa-model", &[]),
    ("stoa-confinement", &[]),
    ("stoa-egress", &[]),
    ("stoa-go-template", &[]),
    ("stoa-listener", &[]),
    ("stoa-objects", &["stoa-egress"]),
    ("stoa-telemetry", &[]),
    ("stoa-web-assets", &[]),
    ("stoa-mock-openai", &[]),
    ("stoa-functions", &["stoa-model"]),
    ("stoa-functions-init", &["stoa-confinement"]),
    (
        "stoa-functions-local",
        &["stoa-confinement", "stoa-egress", "stoa-functions", "stoa-functions-init", "stoa-model"],
    ),
    (
        "stoa-functions-service",
        &[
            "stoa-egress",
            "stoa-functions",
            "stoa-functions-local",
            "stoa-identity",
            "stoa-model",
            "stoa-objects",
            "stoa-storage",
        ],
    ),
    ("stoa-models-llama", &["stoa-confinement", "stoa-model", "stoa-models", "stoa-pictures"]),
    ("stoa-archive", &["stoa-model"]),
    ("stoa-pictures", &[]),
    ("stoa-model-store", &["stoa-egress", "stoa-model"]),
    ("stoa-models", &["stoa-confinement", "stoa-go-template", "stoa-model", "stoa-model-store"]),
    ("stoa-storage", &["stoa-model"]),
    ("stoa-identity", &["stoa-egress", "stoa-model", "stoa-storage"]),
    ("stoa-providers", &["stoa-egress", "stoa-model"]),
    ("stoa-dispatch", &["stoa-model", "stoa-storage", "stoa-telemetry"]),
    ("stoa-chat", &["stoa-dispatch", "stoa-model", "stoa-objects", "stoa-storage"]),
    (
        "stoa-server",
        &[
            "stoa-archive",
            "stoa-chat",
            "stoa-dispatch",
            "stoa-egress",
            "stoa-functions",
            "stoa-functions-service",
            "stoa-identity",
            "stoa-listener",
            "stoa-model",
            "stoa-model-store",
            "stoa-models",
            "stoa-objects",
            "stoa-pictures",
            "stoa-providers",
            "stoa-storage",
            "stoa-telemetry",
            "stoa-web-assets",
        ],
    ),
];

/// They put everything together, or stand outside the product.
const FREE: &[&str] = &["stoa-bench", "stoa-cli", "xtask"];

/// The share of all Rust lines that no crate exceeds.
const MAX_SHARE_PERCENT: usize = 25;
/// Below so many lines in all, shares say nothing yet.
const SHARES_FROM_LINES: usize = 40_000;

pub(super) fn check(metadata: &Metadata) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in metadata.members() {
        let allowed = EDGES.iter().find(|(name, _)| *name == package.name).map(|(_, allowed)| *allowed);
        let free = FREE.contains(&package.name.as_str());
        if allowed.is_none() && !free {
            findings.push(Finding::new(&package.name, "is not in the table of crate edges (xtask/src/tidy/edges.rs)"));
        }
        for used in ours(package) {
            if MECHANISM.contains(&package.name.as_str()) && !MECHANISM.contains(&used) {
                findings.push(Finding::new(&package.name, format!("is mechanism and must not depend on {used}")));
            } else if allowed.is_some_and(|allowed| !allowed.contains(&used)) {
                let what = format!("uses {used}, an edge that is not in the table (xtask/src/tidy/edges.rs)");
                findings.push(Finding::new(&package.name, what));
            }
        }
    }
    findings
}

/// Tests may use more: a mock, or the whole program.
fn ours(package: &Package) -> impl Iterator<Item = &str> {
    package
        .dependencies
        .iter()
        .filter(|dependency| dependency.path.is_some() && dependency.kind.as_deref() != Some("dev"))
        .map(|dependency| dependency.name.as_str())
}

pub(super) fn check_sizes(metadata: &Metadata) -> anyhow::Result<Vec<Finding>> {
    let mut sizes = Vec::new();
    for package in metadata.members() {
        sizes.push((package.name.as_str(), rust_lines(package.folder())?));
    }
    Ok(too_large(&sizes))
}

fn too_large(sizes: &[(&str, usize)]) -> Vec<Finding> {
    let total: usize = sizes.iter().map(|(_, lines)| lines).sum();
    if total < SHARES_FROM_LINES {
        return Vec::new();
    }
    sizes
        .iter()
        .filter(|(_, lines)| lines * 100 > total * MAX_SHARE_PERCENT)
        .map(|(name, lines)| {
            Finding::new(name, format!("has {lines} of {total} lines, more than {MAX_SHARE_PERCENT} %"))
        })
        .collect()
}

fn rust_lines(folder: &Path) -> anyhow::Result<usize> {
    let mut lines = 0;
    for entry in fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            lines += rust_lines(&path)?;
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            lines += fs::read_to_string(&path)?.lines().count();
        }
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::{Metadata, check, too_large};

    fn metadata(name: &str, used: &str, kind: Option<&str>) -> Metadata {
        serde_json::from_value(serde_json::json!({
            "packages": [{
                "id": "a", "name": name, "source": null,
                "manifest_path": "/a/Cargo.toml",
                "dependencies": [{"name": used, "rename": null, "kind": kind, "path": "/b"}],
            }],
            "workspace_members": ["a"],
        }))
        .unwrap()
    }

    #[test]
    fn mechanism_never_depends_on_product() {
        let findings = check(&metadata("stoa-listener", "stoa-model", None));
        assert_eq!(findings[0].to_string(), "stoa-listener: is mechanism and must not depend on stoa-model");
    }

    #[test]
    fn an_edge_outside_the_table_is_found_and_tests_are_free() {
        assert_eq!(check(&metadata("stoa-storage", "stoa-model", None)), []);
        assert_eq!(check(&metadata("stoa-storage", "stoa-chat", None)).len(), 1);
        assert_eq!(check(&metadata("stoa-storage", "stoa-chat", Some("dev"))), []);
        assert_eq!(check(&metadata("stoa-new", "stoa-model", None)).len(), 1);
    }

    #[test]
    fn shares_count_once_there_is_something_to_share() {
        assert_eq!(too_large(&[("a", 9_000), ("b", 1_000)]), []);
        let grown = too_large(&[("a", 13_000), ("b", 10_000), ("c", 10_000), ("d", 10_000)]);
        assert_eq!(grown.len(), 1, "{grown:?}");
    }
}
