//! Links between documents lead somewhere.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::Finding;

pub(super) fn check(root: &Path, files: &[PathBuf]) -> anyhow::Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for file in files.iter().filter(|file| file.extension().is_some_and(|ending| ending == "md")) {
        let text = fs::read_to_string(root.join(file)).with_context(|| format!("cannot read {}", file.display()))?;
        let folder = root.join(file.parent().unwrap_or(Path::new("")));
        for target in targets(&text) {
            if !folder.join(target).exists() {
                findings.push(Finding::new(file.display(), format!("links to {target}, which is not there")));
            }
        }
    }
    Ok(findings)
}

/// The files that Markdown links and images name, outside code blocks; addresses and anchors are left out.
fn targets(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut in_code = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        }
        if in_code {
            continue;
        }
        for (start, _) in line.match_indices("](") {
            let rest = line.get(start + 2..).unwrap_or_default();
            let target = rest.split(')').next().unwrap_or_default().split('#').next().unwrap_or_default();
            if !target.is_empty() && !target.contains("://") && !target.starts_with("mailto:") {
                found.push(target);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::targets;

    #[test]
    fn only_files_are_looked_for() {
        let text =
            "[a](guide/a.md#top) ![b](b.png) [c](https://example.org/) [d](#here)\n```\n[e](e.md)\n```\n[f](f.md)";
        assert_eq!(targets(text), ["guide/a.md", "b.png", "f.md"]);
    }
}
