//! What of a blob is there: how much of each of its parts.

use std::ops::Range;

use serde::{Deserialize, Serialize};

const MAX_PARTS: u64 = 64 * 1024;

/// How much has come of each part of a blob. All parts but the last are equally long.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Map {
    size_bytes: u64,
    part_bytes: u64,
    /// Bytes of each part that are there, from its beginning.
    done: Vec<u64>,
}

/// How far a blob has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reach {
    /// Bytes that are there, wherever.
    pub(crate) completed: u64,
    /// Bytes that are there without a gap from the beginning.
    pub(crate) frontier: u64,
}

impl Map {
    pub(crate) fn new(size_bytes: u64, part_bytes: u64) -> Self {
        let part_bytes = part_bytes.max(size_bytes.div_ceil(MAX_PARTS)).max(1);
        let parts = usize::try_from(size_bytes.div_ceil(part_bytes)).unwrap_or(usize::MAX);
        Self { size_bytes, part_bytes, done: vec![0; parts] }
    }

    pub(super) fn fits(&self, size_bytes: u64) -> bool {
        let lengths = || (0..self.done.len()).map(|part| self.bounds(part));
        self.size_bytes == size_bytes
            && self.part_bytes > 0
            && self.done.len() as u64 == size_bytes.div_ceil(self.part_bytes)
            && lengths().zip(&self.done).all(|(bounds, done)| *done <= bounds.end - bounds.start)
    }

    /// As it will be when all is there: no map of the same parts is longer, written down.
    pub(super) fn filled(&self) -> Self {
        let lengths = (0..self.done.len()).map(|part| self.bounds(part)).map(|bounds| bounds.end - bounds.start);
        Self { done: lengths.collect(), ..self.clone() }
    }

    pub(crate) fn parts(&self) -> usize {
        self.done.len()
    }

    fn bounds(&self, part: usize) -> Range<u64> {
        let start = (part as u64).saturating_mul(self.part_bytes).min(self.size_bytes);
        start..start.saturating_add(self.part_bytes).min(self.size_bytes)
    }

    /// The bytes of a part that have yet to come.
    pub(crate) fn missing(&self, part: usize) -> Range<u64> {
        let bounds = self.bounds(part);
        bounds.start + self.done.get(part).copied().unwrap_or_default()..bounds.end
    }

    /// Notes that `written` is there. Only what joins onto what was there before counts.
    pub(crate) fn advance(&mut self, written: &Range<u64>) {
        for part in 0..self.done.len() {
            let bounds = self.bounds(part);
            let missing = self.missing(part);
            if written.start <= missing.start && missing.start < written.end {
                self.done[part] = written.end.min(bounds.end) - bounds.start;
            }
        }
    }

    pub(crate) fn reach(&self) -> Reach {
        let frontier = (0..self.done.len())
            .map(|part| self.missing(part))
            .find(|missing| !missing.is_empty())
            .map_or(self.size_bytes, |missing| missing.start);
        Reach { completed: self.done.iter().sum(), frontier }
    }
}
