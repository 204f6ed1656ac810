//! Rust files say what lives in them, stay small, and are finished.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::Finding;

/// Past it, a file is two files.
const MAX_LINES: usize = 800;

/// Marks of unfinished work, split so that this file does not find itself.
const UNFINISHED: &[&str] = &[concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X:"), concat!("dbg", "!(")];

pub(super) fn check(root: &Path, files: &[PathBuf]) -> anyhow::Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for file in files.iter().filter(|file| file.extension().is_some_and(|ending| ending == "rs")) {
        let text = fs::read_to_string(root.join(file)).with_context(|| format!("cannot read {}", file.display()))?;
        findings.extend(check_file(file, &text));
    }
    Ok(findings)
}

fn check_file(file: &Path, text: &str) -> Vec<Finding> {
    let place = file.display();
    let mut findings = Vec::new();
    let first = text.lines().next().unwrap_or_default();
    // The placeholder of an empty crate is not a sentence.
    if first.strip_prefix("//! ").is_none_or(|sentence| sentence.trim().len() < 10) {
        findings.push(Finding::new(&place, "does not open with a `//!` sentence that says what lives here"));
    }
    let lines = text.lines().count();
    if lines > MAX_LINES {
        findings.push(Finding::new(&place, format!("has {lines} lines; past {MAX_LINES} it is two files")));
    }
    // Under `tests/` cargo would take `support.rs` for a test of its own.
    let is_shared_by_tests = file.iter().any(|part| part == "tests");
    if file.file_name().is_some_and(|name| name == "mod.rs") && !is_shared_by_tests {
        findings.push(Finding::new(&place, "modules are `name.rs` beside `name/`, without `mod.rs`"));
    }
    for (number, line) in text.lines().enumerate() {
        if let Some(mark) = UNFINISHED.iter().find(|mark| line.contains(**mark)) {
            findings.push(Finding::new(format_args!("{place}:{}", number + 1), format!("`{mark}`: finish it")));
        }
        if line.trim_start().starts_with("#[ignore") {
            findings.push(Finding::new(format_args!("{place}:{}", number + 1), "an ignored test is no test"));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::check_file;

    #[test]
    fn a_file_in_order_has_no_findings() {
        assert_eq!(check_file(Path::new("src/a.rs"), "//! What lives here, in a sentence.\n"), []);
    }

    #[test]
    fn every_broken_rule_is_found() {
        let long = "x\n".repeat(801);
        let text = format!("//! .\n{long}// {}\n    #[ignore = \"slow\"]\n", super::UNFINISHED[0]);
        let findings = check_file(Path::new("src/mod.rs"), &text);
        assert_eq!(findings.len(), 5, "{findings:?}");
    }
}
