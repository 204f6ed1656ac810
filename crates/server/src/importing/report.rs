//! What became of an imported file.

use std::collections::BTreeMap;

use serde::Serialize;
use stoa_archive::{Kind, LeftOut, Source, Why};

/// Names of what was left out that are told of each kind and reason.
const NAMES: usize = 20;

/// What an import has made, what was there before, and what it did not take.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct ImportReport {
    source: Source,
    made: ImportCounts,
    /// Imported before, or never gone; left as it is here.
    known: ImportCounts,
    left_out: Vec<LeftOutGroup>,
}

#[derive(Clone, Copy, Debug, Default, Serialize, utoipa::ToSchema)]
pub(crate) struct ImportCounts {
    pub(crate) conversations: u64,
    pub(crate) messages: u64,
    pub(crate) projects: u64,
    pub(crate) assistant_folders: u64,
    pub(crate) assistants: u64,
    pub(crate) prompts: u64,
    pub(crate) pictures: u64,
}

/// Things of one kind that were not taken for one reason.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct LeftOutGroup {
    what: Kind,
    why: Why,
    count: u64,
    /// What some of them are called, or `#` and their number in the file.
    names: Vec<String>,
}

/// Counts while an import goes on. Bounded, however much is left out.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) made: ImportCounts,
    pub(crate) known: ImportCounts,
    left_out: BTreeMap<(Kind, Why), (u64, Vec<String>)>,
}

impl Tally {
    pub(crate) fn leave_out(&mut self, left: LeftOut) {
        let (count, names) = self.left_out.entry((left.what, left.why)).or_default();
        *count += 1;
        if names.len() < NAMES && !left.name.is_empty() && !names.contains(&left.name) {
            names.push(left.name);
        }
    }

    pub(crate) fn report(self, source: Source) -> ImportReport {
        let group = |((what, why), (count, names))| LeftOutGroup { what, why, count, names };
        ImportReport {
            source,
            made: self.made,
            known: self.known,
            left_out: self.left_out.into_iter().map(group).collect(),
        }
    }
}
