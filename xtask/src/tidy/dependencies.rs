//! A dependency that no source file names is removed.

use std::fs;
use std::path::Path;

use anyhow::Context;

use super::Finding;
use crate::workspace::{Dependency, Metadata};

/// Dependencies that are needed without being named: they only switch on features of another crate.
const UNNAMED: &[(&str, &str)] = &[];

pub(super) fn check(metadata: &Metadata) -> anyhow::Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for package in metadata.members() {
        let mut sources = String::new();
        read_sources(package.folder(), &mut sources)?;
        for dependency in &package.dependencies {
            let unnamed = UNNAMED.contains(&(package.name.as_str(), dependency.name.as_str()));
            if !unnamed && !is_named(&sources, &identifier(dependency)) {
                let what = format!("depends on {} and never names it", dependency.name);
                findings.push(Finding::new(&package.name, what));
            }
        }
    }
    Ok(findings)
}

/// The name that code uses.
fn identifier(dependency: &Dependency) -> String {
    dependency.rename.as_ref().unwrap_or(&dependency.name).replace('-', "_")
}

fn is_named(sources: &str, identifier: &str) -> bool {
    let is_word = |character: char| character.is_alphanumeric() || character == '_';
    sources.match_indices(identifier).any(|(start, _)| {
        let before = sources.get(..start).and_then(|text| text.chars().next_back());
        let after = sources.get(start + identifier.len()..).and_then(|text| text.chars().next());
        !before.is_some_and(is_word) && !after.is_some_and(is_word)
    })
}

/// All Rust code of a crate without its comments, which may name anything.
fn read_sources(folder: &Path, sources: &mut String) -> anyhow::Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            read_sources(&path, sources)?;
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            for line in fs::read_to_string(&path)?.lines().filter(|line| !line.trim_start().starts_with("//")) {
                sources.push_str(line);
                sources.push('\n');
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::is_named;

    #[test]
    fn a_name_is_a_whole_word() {
        assert!(is_named("use http_body::Body;", "http_body"));
        assert!(!is_named("use http_body_util::BodyExt;", "http_body"));
        assert!(!is_named("let my_http = 1;", "http"));
        assert!(is_named("fn f() -> http::StatusCode", "http"));
    }
}
