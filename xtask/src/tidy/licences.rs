//! Every crate in the tree has an allowed licence, and a second version of a crate has a reason. Both lists are in
//! `deny.toml`, where cargo-deny reads them too.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::Context;
use serde::Deserialize;

use super::Finding;
use crate::workspace::{Metadata, Part};

/// The parts of `deny.toml` that are held here.
#[derive(Debug, Deserialize)]
pub(super) struct Policy {
    licenses: Licences,
    bans: Bans,
    sources: Sources,
}

#[derive(Debug, Deserialize)]
struct Licences {
    allow: Vec<String>,
    #[serde(default)]
    exceptions: Vec<Exception>,
}

#[derive(Debug, Deserialize)]
struct Exception {
    #[serde(rename = "crate")]
    name: String,
    allow: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Bans {
    #[serde(default)]
    deny: Vec<Entry>,
    #[serde(default)]
    skip: Vec<Entry>,
}

#[derive(Debug, Deserialize)]
struct Entry {
    #[serde(rename = "crate")]
    name: String,
    reason: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Sources {
    allow_registry: Vec<String>,
}

impl Policy {
    pub(super) fn read(file: &Path) -> anyhow::Result<Self> {
        let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        toml::from_str(&text).with_context(|| format!("cannot read {}", file.display()))
    }

    pub(super) fn check(&self, metadata: &Metadata, parts: &[Part]) -> Vec<Finding> {
        let mut findings = Vec::new();
        let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for part in parts {
            versions.entry(&part.name).or_default().push(&part.version);
            let place = format!("{} {}", part.name, part.version);
            if !self.is_allowed(&part.name, &part.licence) {
                let what = format!("licence `{}` is not allowed by deny.toml", part.licence);
                findings.push(Finding::new(&place, what));
            }
            if let Some(ban) = self.bans.deny.iter().find(|ban| ban.name == part.name) {
                findings.push(Finding::new(&place, format!("is banned by deny.toml: {}", ban.reason)));
            }
        }
        for package in &metadata.packages {
            if let Some(source) = &package.source
                && !self.sources.allow_registry.iter().any(|allowed| source == &format!("registry+{allowed}"))
            {
                let what = format!("comes from {source}, which deny.toml does not allow");
                findings.push(Finding::new(&package.name, what));
            }
        }
        findings.extend(self.check_duplicates(&versions));
        findings
    }

    fn check_duplicates(&self, versions: &BTreeMap<&str, Vec<&str>>) -> Vec<Finding> {
        let skipped = |name: &str| self.bans.skip.iter().any(|entry| entry.matches(name));
        let duplicate = |name: &&str| versions.get(*name).is_some_and(|versions| versions.len() > 1);
        let mut findings: Vec<Finding> = versions
            .keys()
            .filter(|name| duplicate(name) && !skipped(name))
            .map(|name| {
                let found = versions.get(name).map(|versions| versions.join(", ")).unwrap_or_default();
                Finding::new(name, format!("is there in versions {found}, without a reason in deny.toml (bans.skip)"))
            })
            .collect();
        for entry in &self.bans.skip {
            if entry.reason.is_empty() || !versions.keys().any(|name| duplicate(name) && entry.matches(name)) {
                let what = "deny.toml skips a duplicate of it that is not there any more, or gives no reason";
                findings.push(Finding::new(&entry.name, what));
            }
        }
        findings
    }

    fn is_allowed(&self, name: &str, expression: &str) -> bool {
        let extra = self.licenses.exceptions.iter().find(|exception| exception.name == name);
        let allowed = |licence: &str| {
            self.licenses.allow.iter().chain(extra.into_iter().flat_map(|extra| &extra.allow)).any(|one| one == licence)
        };
        Expression::new(expression).is_satisfied(&allowed)
    }
}

impl Entry {
    /// An entry of `bans.skip` is `name` or `name@version`.
    fn matches(&self, name: &str) -> bool {
        self.name.split('@').next() == Some(name)
    }
}

/// An SPDX licence expression (annex D of the SPDX specification), read as it is judged. The old form `A/B` means `A OR B`.
struct Expression<'text> {
    tokens: Vec<&'text str>,
    position: usize,
}

impl<'text> Expression<'text> {
    fn new(text: &'text str) -> Self {
        let mut tokens = Vec::new();
        for word in text.split([' ', '/']).filter(|word| !word.is_empty()) {
            let bare = word.trim_start_matches('(');
            tokens.extend(std::iter::repeat_n("(", word.len() - bare.len()));
            let inner = bare.trim_end_matches(')');
            tokens.push(inner);
            tokens.extend(std::iter::repeat_n(")", bare.len() - inner.len()));
        }
        if text.contains('/') {
            tokens = tokens.into_iter().flat_map(|token| [token, "OR"]).collect();
            tokens.pop();
        }
        Self { tokens, position: 0 }
    }

    fn is_satisfied(&mut self, allowed: &dyn Fn(&str) -> bool) -> bool {
        let satisfied = self.any(allowed);
        satisfied && self.position == self.tokens.len()
    }

    fn any(&mut self, allowed: &dyn Fn(&str) -> bool) -> bool {
        let mut satisfied = self.all(allowed);
        while self.take("OR") {
            let next = self.all(allowed);
            satisfied |= next;
        }
        satisfied
    }

    fn all(&mut self, allowed: &dyn Fn(&str) -> bool) -> bool {
        let mut satisfied = self.one(allowed);
        while self.take("AND") {
            let next = self.one(allowed);
            satisfied &= next;
        }
        satisfied
    }

    fn one(&mut self, allowed: &dyn Fn(&str) -> bool) -> bool {
        if self.take("(") {
            let satisfied = self.any(allowed);
            return self.take(")") && satisfied;
        }
        let Some(licence) = self.next() else { return false };
        if self.take("WITH") {
            let Some(exception) = self.next() else { return false };
            return allowed(licence) || allowed(&format!("{licence} WITH {exception}"));
        }
        allowed(licence)
    }

    fn next(&mut self) -> Option<&'text str> {
        let token = self.tokens.get(self.position).copied();
        self.position += 1;
        token
    }

    fn take(&mut self, token: &str) -> bool {
        let found = self.tokens.get(self.position) == Some(&token);
        if found {
            self.position += 1;
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::{Expression, Policy};

    fn satisfied(expression: &str) -> bool {
        Expression::new(expression).is_satisfied(&|licence| ["MIT", "Apache-2.0", "Unicode-3.0"].contains(&licence))
    }

    #[test]
    fn expressions_are_judged_as_written() {
        for good in [
            "MIT",
            "MIT OR GPL-3.0",
            "GPL-3.0 OR MIT",
            "MIT/Apache-2.0",
            "(MIT OR GPL-3.0) AND Unicode-3.0",
            "Apache-2.0 WITH LLVM-exception OR GPL-2.0",
            "((MIT))",
        ] {
            assert!(satisfied(good), "{good}");
        }
        for bad in ["GPL-3.0", "MIT AND GPL-3.0", "(MIT OR GPL-3.0) AND GPL-2.0", "MIT MIT", "", "(MIT", "MIT OR"] {
            assert!(!satisfied(bad), "{bad}");
        }
    }

    #[test]
    fn duplicates_need_a_reason_and_reasons_need_a_duplicate() {
        let policy: Policy = toml::from_str(
            r#"
            [licenses]
            allow = []
            [bans]
            skip = [{ crate = "b@1.0.0", reason = "old" }, { crate = "c@1.0.0", reason = "gone" }]
            [sources]
            allow-registry = []
            "#,
        )
        .unwrap();
        let versions = [("a", vec!["1", "2"]), ("b", vec!["1", "2"]), ("c", vec!["2"])].into_iter().collect();
        let findings: Vec<String> = policy.check_duplicates(&versions).iter().map(ToString::to_string).collect();
        assert_eq!(findings.len(), 2, "{findings:?}");
        assert!(findings[0].starts_with("a: ") && findings[1].starts_with("c@1.0.0: "), "{findings:?}");
    }
}
