//! What functions wrote and how they were called, in files that outlive the server: a folder a function, in pieces of which the
//! oldest go.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use stoa_model::FunctionId;

/// Bytes of a piece, and pieces of a function.
const PIECE_BYTES: u64 = 4 * 1024 * 1024;
const PIECES: usize = 8;
/// A piece that nothing was written to for so long goes.
pub(crate) const KEPT: Duration = Duration::from_hours(14 * 24);
const END: &str = "jsonl";

/// Something that was written down.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogRecord {
    /// Milliseconds since 1970.
    pub at: i64,
    /// Of which life of a server, as instances are called alike in each.
    pub life: u32,
    /// Empty for a call that came to no instance.
    pub instance: String,
    /// None for what is no version yet.
    pub version: Option<u32>,
    pub what: Logged,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Logged {
    Line {
        number: u64,
        error: bool,
        text: String,
        cut: bool,
    },
    Call(LoggedCall),
    /// So many lines were not written down.
    Lost(u64),
}

/// A call that is over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoggedCall {
    pub number: u64,
    pub request: String,
    pub method: String,
    pub path: String,
    /// None where there was no answer.
    pub status: Option<u16>,
    pub ms: u64,
    pub alias: String,
}

/// What is looked for.
#[derive(Clone, Debug, Default)]
pub struct LogSearch {
    /// An instance of a life.
    pub instance: Option<(String, u32)>,
    /// Of an instance, lines after this number.
    pub after: u64,
    /// In small letters.
    pub text: Option<String>,
    /// What belongs to this request: its call, what names it, and what its instance wrote meanwhile, if it had nothing else
    /// to do.
    pub request: Option<String>,
    /// The latest so many.
    pub limit: usize,
}

/// What was found, the oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FoundLog {
    pub records: Vec<LogRecord>,
    /// Lines that were not written down, in what was looked at.
    pub lost: u64,
}

/// Everything here waits for the disk.
#[derive(Clone, Debug)]
pub(crate) struct LogStore {
    folder: PathBuf,
}

impl LogStore {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    fn place(&self, function: FunctionId) -> PathBuf {
        self.folder.join(function.as_uuid().simple().to_string())
    }

    /// Writes on. With `anew`, into a new piece: the last one of another life may end within a line.
    pub(crate) fn write(&self, function: FunctionId, records: &[LogRecord], anew: bool) -> io::Result<()> {
        let place = self.place(function);
        fs::create_dir_all(&place)?;
        let mut pieces = pieces(&place)?;
        let mut number = pieces.last().map_or(0, |last| last.number);
        if anew || pieces.is_empty() {
            number += 1;
        }
        let mut file = open(&place, number)?;
        let mut size = file.metadata()?.len();
        let mut text = Vec::new();
        for record in records {
            serde_json::to_writer(&mut text, record).map_err(io::Error::other)?;
            text.push(b'\n');
            if size + text.len() as u64 >= PIECE_BYTES {
                file.write_all(&text)?;
                text.clear();
                number += 1;
                file = open(&place, number)?;
                size = 0;
            }
        }
        file.write_all(&text)?;
        drop(file);
        pieces = self::pieces(&place)?;
        let over = pieces.len().saturating_sub(PIECES);
        for (place, piece) in pieces.iter().enumerate() {
            if place < over || piece.is_old() {
                fs::remove_file(&piece.path)?;
            }
        }
        Ok(())
    }

    pub(crate) fn forget(&self, function: FunctionId) -> io::Result<()> {
        match fs::remove_dir_all(self.place(function)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Removes what is old, and the logs of functions that are not among these.
    pub(crate) fn sweep(&self, functions: &[FunctionId]) -> io::Result<()> {
        let known: Vec<_> = functions.iter().map(|id| self.place(*id)).collect();
        let folders = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            folders => folders?,
        };
        for folder in folders {
            let folder = folder?.path();
            if !known.contains(&folder) {
                fs::remove_dir_all(&folder)?;
                continue;
            }
            for piece in pieces(&folder)?.iter().filter(|piece| piece.is_old()) {
                fs::remove_file(&piece.path)?;
            }
        }
        Ok(())
    }

    pub(crate) fn search(&self, function: FunctionId, search: &LogSearch) -> io::Result<FoundLog> {
        let pieces = pieces(&self.place(function))?;
        let Some(request) = &search.request else {
            return latest(&pieces, search.limit, |record| fits(record, search));
        };
        let is_it = |record: &LogRecord| matches!(&record.what, Logged::Call(call) if call.request == *request);
        let call = latest(&pieces, 1, is_it)?.records.pop();
        let meanwhile = call.filter(|call| !call.instance.is_empty()).and_then(|call| Meanwhile::of(&call));
        // What an instance wrote that answered others meanwhile may be about any of them.
        let other = |record: &LogRecord| {
            let is_call = matches!(&record.what, Logged::Call(_)) && !is_it(record);
            is_call && meanwhile.as_ref().is_some_and(|meanwhile| meanwhile.holds(record))
        };
        let alone = latest(&pieces, 1, other)?.records.is_empty();
        latest(&pieces, search.limit, |record| {
            let within = alone && meanwhile.as_ref().is_some_and(|meanwhile| meanwhile.holds(record));
            let belongs = match &record.what {
                Logged::Line { text, .. } => within || text.contains(request.as_str()),
                Logged::Call(_) => is_it(record),
                Logged::Lost(_) => false,
            };
            belongs && fits(record, search)
        })
    }
}

/// While a call was answered, at the instance that did.
struct Meanwhile {
    instance: String,
    life: u32,
    from: i64,
    to: i64,
}

impl Meanwhile {
    fn of(record: &LogRecord) -> Option<Self> {
        let Logged::Call(call) = &record.what else { return None };
        let from = record.at.saturating_sub(i64::try_from(call.ms).unwrap_or(i64::MAX));
        Some(Self { instance: record.instance.clone(), life: record.life, from, to: record.at })
    }

    /// A call is there from its beginning to its end.
    fn holds(&self, record: &LogRecord) -> bool {
        let begun = match &record.what {
            Logged::Call(call) => record.at.saturating_sub(i64::try_from(call.ms).unwrap_or(i64::MAX)),
            Logged::Line { .. } | Logged::Lost(_) => record.at,
        };
        record.instance == self.instance && record.life == self.life && begun <= self.to && record.at >= self.from
    }
}

fn fits(record: &LogRecord, search: &LogSearch) -> bool {
    let here = search.instance.as_ref().is_none_or(|(name, life)| record.instance == *name && record.life == *life);
    let said = |text: &str| search.text.as_ref().is_none_or(|wanted| text.to_lowercase().contains(wanted));
    here && match &record.what {
        Logged::Line { number, text, .. } => *number > search.after && said(text),
        Logged::Call(call) => search.after == 0 && (said(&call.path) || said(&call.method) || said(&call.request)),
        Logged::Lost(_) => false,
    }
}

/// The latest records that are wanted, without holding more than one piece.
fn latest(pieces: &[Piece], limit: usize, mut wanted: impl FnMut(&LogRecord) -> bool) -> io::Result<FoundLog> {
    let mut found = FoundLog::default();
    'all: for piece in pieces.iter().rev() {
        let content = match fs::read(&piece.path) {
            // It has just gone.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            content => content?,
        };
        for line in content.split(|byte| *byte == b'\n').rev() {
            // What was being written when the server died is no record.
            let Ok(record) = serde_json::from_slice::<LogRecord>(line) else { continue };
            if let Logged::Lost(count) = record.what {
                found.lost += count;
            }
            if wanted(&record) {
                found.records.push(record);
                if found.records.len() >= limit {
                    break 'all;
                }
            }
        }
    }
    found.records.reverse();
    found.records.sort_by_key(|record| record.at);
    Ok(found)
}

struct Piece {
    number: u64,
    path: PathBuf,
    written_at: SystemTime,
}

impl Piece {
    fn is_old(&self) -> bool {
        self.written_at.elapsed().is_ok_and(|age| age > KEPT)
    }
}

/// The oldest first.
fn pieces(place: &Path) -> io::Result<Vec<Piece>> {
    let entries = match fs::read_dir(place) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut pieces = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let number = path.file_stem().and_then(|stem| stem.to_str()?.parse().ok());
        let Some(number) = number.filter(|_| path.extension().is_some_and(|end| end == END)) else { continue };
        let Ok(written_at) = fs::metadata(&path).and_then(|metadata| metadata.modified()) else { continue };
        pieces.push(Piece { number, path, written_at });
    }
    pieces.sort_by_key(|piece| piece.number);
    Ok(pieces)
}

fn open(place: &Path, number: u64) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(place.join(format!("{number:08}.{END}")))
}

#[cfg(test)]
mod tests {
    use stoa_model::Timestamp;

    use super::*;

    fn line(at: i64, instance: &str, number: u64, text: &str) -> LogRecord {
        let what = Logged::Line { number, error: false, text: text.to_owned(), cut: false };
        LogRecord { at, life: 1, instance: instance.to_owned(), version: Some(1), what }
    }

    fn call(at: i64, ms: u64, instance: &str, request: &str) -> LogRecord {
        let call = LoggedCall {
            number: 1,
            request: request.to_owned(),
            method: "GET".to_owned(),
            path: "/path".to_owned(),
            status: Some(200),
            ms,
            alias: "live".to_owned(),
        };
        LogRecord { at, life: 1, instance: instance.to_owned(), version: Some(1), what: Logged::Call(call) }
    }

    fn store() -> (tempfile::TempDir, LogStore, FunctionId) {
        let folder = tempfile::tempdir().unwrap();
        let store = LogStore::new(folder.path().join("logs"));
        (folder, store, FunctionId::generate(Timestamp::from_millis(0)))
    }

    fn texts(found: &FoundLog) -> Vec<&str> {
        found
            .records
            .iter()
            .map(|record| match &record.what {
                Logged::Line { text, .. } => text.as_str(),
                Logged::Call(call) => call.request.as_str(),
                Logged::Lost(_) => "lost",
            })
            .collect()
    }

    fn all() -> LogSearch {
        LogSearch { limit: 1_000, ..LogSearch::default() }
    }

    #[test]
    fn what_was_written_is_found_by_another_life_although_the_last_line_is_torn() {
        let (_folder, store, function) = store();
        assert_eq!(store.search(function, &all()).unwrap(), FoundLog::default());
        store.write(function, &[line(1, "a", 1, "one"), line(2, "b", 1, "Two")], true).unwrap();
        let piece = store.place(function).join("00000001.jsonl");
        let whole = fs::read(&piece).unwrap();
        fs::write(&piece, &whole[..whole.len() - 9]).unwrap();
        let later = LogRecord { life: 2, ..line(3, "a", 1, "three") };
        store.write(function, &[later, LogRecord { what: Logged::Lost(7), ..line(4, "a", 0, "") }], true).unwrap();
        let found = store.search(function, &all()).unwrap();
        assert_eq!((texts(&found), found.lost), (vec!["one", "three"], 7));
        let by = |search: LogSearch| texts(&store.search(function, &search).unwrap()).join(" ");
        assert_eq!(by(LogSearch { text: Some("thr".to_owned()), ..all() }), "three");
        assert_eq!(by(LogSearch { instance: Some(("a".to_owned(), 1)), ..all() }), "one", "another life is another");
        assert_eq!(by(LogSearch { after: 1, ..all() }), "");
        assert_eq!(by(LogSearch { limit: 1, ..all() }), "three", "the latest");
        store.forget(function).unwrap();
        assert_eq!(by(all()), "");
        store.forget(function).unwrap();
    }

    #[test]
    fn a_request_is_found_with_what_was_written_meanwhile_unless_others_were_answered_there() {
        let (_folder, store, function) = store();
        let records = [
            line(5, "a", 1, "before"),
            line(12, "a", 2, "within"),
            line(13, "b", 1, "elsewhere"),
            line(14, "b", 2, "elsewhere for request-one"),
            call(20, 10, "a", "request-one"),
            line(31, "a", 3, "of two"),
            line(36, "a", 4, "of either"),
            call(40, 10, "a", "request-two"),
            call(45, 10, "a", "request-three"),
            line(46, "a", 5, "after"),
        ];
        store.write(function, &records, true).unwrap();
        let by = |request: &str| {
            let found = store.search(function, &LogSearch { request: Some(request.to_owned()), ..all() }).unwrap();
            texts(&found).join(", ")
        };
        assert_eq!(by("request-one"), "within, elsewhere for request-one, request-one");
        assert_eq!(by("request-two"), "request-two");
        assert_eq!(by("request-four"), "");
    }

    #[test]
    fn a_flood_takes_no_more_than_its_room_and_the_latest_stays() {
        let (_folder, store, function) = store();
        let text = "x".repeat(8 * 1024);
        let mut written = 0;
        // Several times as much as there is room for.
        while written < 4 * PIECE_BYTES * PIECES as u64 {
            let records: Vec<_> = (0..256).map(|number| line(1, "a", number, &text)).collect();
            store.write(function, &records, written == 0).unwrap();
            written += 256 * 8 * 1024;
        }
        store.write(function, &[line(2, "a", 999, "the last")], false).unwrap();
        let kept: u64 =
            pieces(&store.place(function)).unwrap().iter().map(|one| fs::metadata(&one.path).unwrap().len()).sum();
        assert!(kept <= (PIECE_BYTES + 16 * 1024) * PIECES as u64, "{kept}");
        assert_eq!(texts(&store.search(function, &LogSearch { limit: 1, ..all() }).unwrap()), ["the last"]);
    }

    #[test]
    fn logs_of_functions_that_are_gone_and_old_ones_are_swept() {
        let (_folder, store, function) = store();
        let gone = FunctionId::generate(Timestamp::from_millis(1));
        store.sweep(&[]).unwrap();
        for id in [function, gone] {
            store.write(id, &[line(1, "a", 1, "one")], true).unwrap();
        }
        store.write(function, &[line(1, "a", 2, "two")], true).unwrap();
        let first = File::open(store.place(function).join("00000001.jsonl")).unwrap();
        first.set_modified(SystemTime::UNIX_EPOCH).unwrap();
        store.sweep(&[function]).unwrap();
        assert_eq!(texts(&store.search(function, &all()).unwrap()), ["two"]);
        assert!(!store.place(gone).exists());
    }
}
