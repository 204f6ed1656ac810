//! What is on the account and not in the database yet, in files: a server that is killed leaves them, and the next one of the
//! same machine takes them over. The kernel has what was written; only a machine that loses its power may lose the last of it.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

const END: &str = ".jsonl";
/// A file that is longer is to be begun anew.
const LONG: u64 = 8 * 1024 * 1024;

/// The files of one server. Whoever writes is alone with it.
pub(crate) struct Journal {
    folder: PathBuf,
    name: String,
    number: u64,
    file: Option<File>,
    bytes: u64,
    /// That are not closed.
    chapters: Vec<PathBuf>,
}

/// The files that were written to until then.
#[derive(Debug)]
pub(crate) struct Chapter(Vec<PathBuf>);

impl Journal {
    pub(crate) fn new(folder: PathBuf, name: String) -> Self {
        Self { folder, name, number: 0, file: None, bytes: 0, chapters: Vec::new() }
    }

    /// Adds a line, which holds in the place of all before it that are about the same.
    pub(crate) fn write(&mut self, line: &impl Serialize) -> io::Result<()> {
        let mut bytes = serde_json::to_vec(line)?;
        bytes.push(b'\n');
        self.file()?.write_all(&bytes)?;
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    pub(crate) const fn is_long(&self) -> bool {
        self.bytes > LONG
    }

    fn file(&mut self) -> io::Result<&mut File> {
        if self.file.is_none() {
            fs::create_dir_all(&self.folder)?;
            let path = self.path(self.number);
            let nameless = path.with_extension("new");
            let file = OpenOptions::new().append(true).create(true).open(&nameless)?;
            // As long as it is held, its server lives.
            file.lock()?;
            fs::rename(nameless, &path)?;
            self.chapters.push(path);
            self.file = Some(file);
        }
        self.file.as_mut().ok_or_else(|| ErrorKind::NotFound.into())
    }

    fn path(&self, number: u64) -> PathBuf {
        self.folder.join(format!("{}-{number}{END}", self.name))
    }

    /// From here on, a new file is written to. What there was until now is to be closed or kept.
    pub(crate) fn turn(&mut self) -> Option<Chapter> {
        if self.file.take().is_some() {
            (self.number, self.bytes) = (self.number + 1, 0);
        }
        Some(Chapter(std::mem::take(&mut self.chapters))).filter(|chapter| !chapter.0.is_empty())
    }

    /// It is not in the database after all.
    pub(crate) fn keep(&mut self, chapter: Chapter) {
        self.chapters.splice(0..0, chapter.0);
    }
}

impl Chapter {
    /// All that is in it is in the database.
    pub(crate) fn close(self) {
        for path in self.0 {
            if let Err(error) = fs::remove_file(&path) {
                tracing::warn!(%error, path = %path.display(), "a written account was not removed");
            }
        }
    }
}

/// What servers have left that are no more, each server's in the order in which it was written.
pub(crate) fn left<Line: DeserializeOwned>(folder: &Path) -> io::Result<(Vec<Line>, Chapter)> {
    let mut lines = Vec::new();
    let mut files = files(folder)?;
    files.sort();
    for (_, path) in &files {
        let text = fs::read_to_string(path)?;
        // The last line may be torn.
        lines.extend(text.lines().filter_map(|line| serde_json::from_str::<Line>(line).ok()));
    }
    Ok((lines, Chapter(files.into_iter().map(|(_, path)| path).collect())))
}

/// Of servers that are no more, with their numbers.
fn files(folder: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let number =
            path.file_name().and_then(|name| name.to_str()?.strip_suffix(END)?.rsplit_once('-')?.1.parse().ok());
        let Some(number) = number else { continue };
        match File::open(&path)?.try_lock() {
            Ok(()) => files.push((number, path)),
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(folder: &Path) -> Vec<u32> {
        left(folder).unwrap().0
    }

    #[test]
    fn a_living_servers_lines_are_its_own_and_a_dead_ones_are_read_but_for_a_torn_one() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("account");
        assert_eq!(lines(&place), Vec::<u32>::new());
        let mut journal = Journal::new(place.clone(), "one".to_owned());
        assert!(journal.turn().is_none(), "nothing was written");
        journal.write(&1).unwrap();
        journal.write(&2).unwrap();
        assert_eq!(lines(&place), Vec::<u32>::new());
        drop(journal);
        let path = place.join("one-0.jsonl");
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"[3").unwrap();
        assert_eq!(lines(&place), [1, 2]);
        left::<u32>(&place).unwrap().1.close();
        assert!(!path.exists());
    }

    #[test]
    fn lines_come_in_the_order_in_which_they_were_written() {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = Journal::new(folder.path().to_owned(), "one".to_owned());
        for number in 0..12 {
            journal.write(&number).unwrap();
            assert!(journal.turn().is_some());
        }
        assert_eq!(lines(folder.path()), (0..12).collect::<Vec<_>>());
    }

    #[test]
    fn what_is_closed_goes_and_what_came_after_stays() {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = Journal::new(folder.path().to_owned(), "one".to_owned());
        journal.write(&1).unwrap();
        let chapter = journal.turn().unwrap();
        journal.write(&2).unwrap();
        journal.keep(chapter);
        let chapter = journal.turn().unwrap();
        journal.write(&3).unwrap();
        chapter.close();
        drop(journal);
        assert_eq!(lines(folder.path()), [3]);
    }
}
