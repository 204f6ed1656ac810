//! How far a blob has come, written down where a full disk does not hinder it.
//!
//! The file has two lines of a fixed length, each a checksum and a map. They are overwritten in turn, so that one is
//! always whole, and take no space that they did not take from the beginning.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use super::map::Map;
use crate::store::{Digest, durable};

/// The longest file: two maps of the most parts.
const MAX_BYTES: u64 = 4 * 1024 * 1024;

#[derive(Debug)]
pub(super) struct Record {
    file: File,
    line_bytes: usize,
    /// Which of the two lines is written next.
    second: bool,
}

impl Record {
    /// Begins a file that says `map`, in both lines.
    pub(super) fn begin(path: &Path, map: &Map) -> io::Result<Self> {
        let file = File::options().create(true).truncate(false).write(true).open(path)?;
        let line_bytes = line(&serde_json::to_string(&map.filled())?).len();
        let mut record = Self { file, line_bytes, second: false };
        // What was there said the same or nothing of use; one line at a time, so that it is never lost.
        record.write(map)?;
        record.write(map)?;
        record.file.set_len(2 * line_bytes as u64)?;
        Ok(record)
    }

    pub(super) fn write(&mut self, map: &Map) -> io::Result<()> {
        let mut line = line(&serde_json::to_string(map)?);
        // Spaces before the line's end.
        line.pop();
        let text = format!("{line:width$}\n", width = self.line_bytes - 1);
        let offset = if self.second { self.line_bytes as u64 } else { 0 };
        self.file.write_all_at(text.as_bytes(), offset)?;
        self.second = !self.second;
        Ok(())
    }

    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}

/// The map that says most, of those that are whole.
pub(super) fn read(path: &Path) -> Option<Map> {
    let bytes = durable::read_small(path, MAX_BYTES).ok()?;
    let (first, second) = bytes.split_at(bytes.len() / 2);
    let maps = [first, second].into_iter().filter_map(|line| {
        let (sum, text) = str::from_utf8(line).ok()?.trim_end().split_once(' ')?;
        let map: Map = serde_json::from_str(text).ok()?;
        (Digest::of(text.as_bytes()).hex() == sum).then_some(map)
    });
    maps.max_by_key(|map| map.reach().completed)
}

pub(super) fn line(map: &str) -> String {
    format!("{} {map}\n", Digest::of(map.as_bytes()).hex())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_line_that_is_half_written_leaves_the_other() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("map");
        let mut map = Map::new(1_000, 100);
        let mut record = Record::begin(&path, &map).unwrap();
        let length = fs::metadata(&path).unwrap().len();
        let mut last = read(&path).unwrap();
        assert_eq!(last, map);
        for end in (50..=1_000).step_by(50) {
            map.advance(&(0..end));
            record.write(&map).unwrap();
            assert_eq!(read(&path).unwrap(), map);
            assert_eq!(fs::metadata(&path).unwrap().len(), length, "it takes no more space");
            // As if the write had been cut in the middle of the line.
            let whole = fs::read(&path).unwrap();
            let half = usize::try_from(length / 2).unwrap();
            let written = if record.second { 0 } else { half };
            for cut in [0, 1, 40, 64, 66, 80, half - 2] {
                let mut torn = whole.clone();
                torn[written + cut..written + half].fill(0);
                fs::write(&path, torn).unwrap();
                let read = read(&path).unwrap();
                assert!(read == last || read == map, "{cut}");
            }
            fs::write(&path, whole).unwrap();
            last = map.clone();
        }
    }
}
