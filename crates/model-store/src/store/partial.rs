//! A blob on its way into the store: a sparse file, what of it is there already, and whose it is.
//!
//! `partial/sha256-<hex>` has the blob's full length from the beginning; `.map` beside it says how much of each part has
//! come; whoever holds the lock on `.lock` is the only one to write. The map never says more than the file holds, so a
//! process that is killed costs its successor what came since the map was last written and nothing else.

mod map;
mod record;

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::watch;

use super::{Digest, Store, StoreError, claim, durable};
use map::Map;
use record::Record;

pub(crate) use map::Reach;

#[derive(Clone, Debug)]
struct Paths {
    data: PathBuf,
    map: PathBuf,
    lock: PathBuf,
}

impl Paths {
    fn of(directory: &Path, digest: &Digest) -> Self {
        let name = digest.file_name();
        Self {
            data: directory.join(&name),
            map: directory.join(format!("{name}.map")),
            lock: directory.join(format!("{name}.lock")),
        }
    }

    fn delete(&self) {
        for path in [&self.data, &self.map, &self.lock] {
            let _ = fs::remove_file(path);
        }
    }
}

/// A blob that this process, and no other, is bringing in. Dropped, it writes down how far it has come.
#[derive(Debug)]
pub(crate) struct Partial {
    paths: Paths,
    directory: PathBuf,
    data: File,
    map: Mutex<Map>,
    reach: watch::Sender<Reach>,
    /// Whether something was there when it was opened.
    resumed: bool,
    /// Whether its files are to stay when it is dropped.
    keep: AtomicBool,
    record: Mutex<Record>,
    /// Held last of all, by every write that is still under way.
    _lock: File,
}

impl Partial {
    /// Takes the blob up where it was left, or begins it. `None` when somebody else is at it.
    pub(crate) fn open(
        store: &Store,
        digest: &Digest,
        size_bytes: u64,
        part_bytes: u64,
    ) -> Result<Option<Self>, StoreError> {
        let directory = store.partials();
        fs::create_dir_all(&directory).map_err(StoreError::io("making the directory", &directory))?;
        let paths = Paths::of(&directory, digest);
        let Some(lock) = try_lock(&paths.lock).map_err(StoreError::io("locking", &paths.lock))? else {
            return Ok(None);
        };
        let failed = |error| StoreError::io("making a file", &directory)(error);
        let data = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&paths.data)
            .map_err(StoreError::io("making a file", &directory))?;
        let known = record::read(&paths.map).filter(|map| map.fits(size_bytes));
        let length = data.metadata().map_err(failed)?.len();
        let map = if let Some(map) = known.filter(|_| length == size_bytes) {
            map
        } else {
            // First the map, so that it never speaks of what is gone.
            let _ = fs::remove_file(&paths.map);
            data.set_len(0).and_then(|()| data.set_len(size_bytes)).map_err(failed)?;
            Map::new(size_bytes, part_bytes)
        };
        let record = Record::begin(&paths.map, &map).map_err(failed)?;
        let reach = map.reach();
        Ok(Some(Self {
            paths,
            directory,
            data,
            map: Mutex::new(map),
            resumed: reach.completed > 0,
            reach: watch::Sender::new(reach),
            keep: AtomicBool::new(true),
            record: Mutex::new(record),
            _lock: lock,
        }))
    }

    pub(crate) fn map(&self) -> MutexGuard<'_, Map> {
        self.map.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn reach(&self) -> Reach {
        *self.reach.borrow()
    }

    pub(crate) fn watch(&self) -> watch::Receiver<Reach> {
        self.reach.subscribe()
    }

    pub(crate) const fn resumed(&self) -> bool {
        self.resumed
    }

    /// Writes `pieces` one behind the other from `offset` on. What is there without a gap from the beginning is never
    /// written again: it may have been summed up already.
    pub(crate) fn write(&self, offset: u64, pieces: &[Bytes]) -> Result<(), StoreError> {
        let frontier = self.reach().frontier;
        let mut position = offset;
        for piece in pieces {
            let skipped = frontier.saturating_sub(position).min(piece.len() as u64);
            if let Some(rest) = usize::try_from(skipped).ok().and_then(|skipped| piece.get(skipped..)) {
                self.data.write_all_at(rest, position + skipped).map_err(StoreError::io("writing", &self.directory))?;
            }
            position += piece.len() as u64;
        }
        let mut map = self.map();
        map.advance(&(offset..position));
        let reach = map.reach();
        // Under the map's lock, so that nobody sees it go back.
        self.reach.send_replace(reach);
        Ok(())
    }

    /// Reads what is there from `offset` on.
    pub(crate) fn read(&self, buffer: &mut [u8], offset: u64) -> Result<(), StoreError> {
        self.data.read_exact_at(buffer, offset).map_err(StoreError::io("reading", &self.paths.data))
    }

    /// Writes down how far it has come, so that even a loss of power does not lose it.
    pub(crate) fn save(&self) -> Result<(), StoreError> {
        let mut record = self.record();
        let map = self.map().clone();
        self.data.sync_data().map_err(StoreError::io("writing", &self.directory))?;
        record.write(&map).and_then(|()| record.sync()).map_err(StoreError::io("writing", &self.paths.map))
    }

    fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts the whole blob in its place.
    pub(crate) fn finish(&self, blob: &Path) -> Result<(), StoreError> {
        self.data.sync_all().map_err(StoreError::io("writing", &self.directory))?;
        fs::rename(&self.paths.data, blob).map_err(StoreError::io("renaming", blob))?;
        blob.parent().map_or(Ok(()), durable::sync_directory)?;
        self.discard();
        Ok(())
    }

    /// Deletes what has come, once nobody writes to it any more.
    pub(crate) fn discard(&self) {
        self.keep.store(false, Ordering::Release);
    }

    /// Deletes what is left beside a blob that is in its place: whoever put it there may have been killed just then.
    pub(crate) fn clear(store: &Store, digest: &Digest) -> Result<(), StoreError> {
        let paths = Paths::of(&store.partials(), digest);
        if !paths.map.exists() && !paths.lock.exists() {
            return Ok(());
        }
        // Somebody who holds it does that as well.
        let lock = try_lock(&paths.lock).map_err(StoreError::io("locking", &paths.lock))?;
        if lock.is_some() {
            paths.delete();
        }
        Ok(())
    }

    /// A view for whoever waits for another's blob: how far that one has come.
    pub(crate) fn completed_elsewhere(store: &Store, digest: &Digest, size_bytes: u64) -> u64 {
        record::read(&Paths::of(&store.partials(), digest).map)
            .filter(|map| map.fits(size_bytes))
            .map_or(0, |map| map.reach().completed)
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if self.keep.load(Ordering::Acquire) {
            // Not made durable, which takes long: it outlives the process, and a loss of power costs a little more.
            let map = self.map().clone();
            let _ = self.record().write(&map);
        } else {
            self.paths.delete();
        }
    }
}

/// Locks the file at `path`, and makes sure that it is still the one that others will find there.
fn try_lock(path: &Path) -> io::Result<Option<File>> {
    loop {
        let file = File::options().create(true).truncate(false).write(true).open(path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        let same = fs::metadata(path).is_ok_and(|found| {
            file.metadata().is_ok_and(|mine| (found.dev(), found.ino()) == (mine.dev(), mine.ino()))
        });
        if same {
            return Ok(Some(file));
        }
    }
}

/// Deletes what nobody is at and nobody has been at for long.
pub(super) fn sweep(directory: &Path) {
    let Ok(entries) = fs::read_dir(directory) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        if name.starts_with(durable::TEMPORARY) && durable::is_older_than(&entry.path(), super::collect::STALE) {
            let _ = fs::remove_file(entry.path());
        }
        let stem = name.trim_end_matches(".map").trim_end_matches(".lock");
        let Some(digest) = Digest::from_file_name(stem) else { continue };
        let paths = Paths::of(directory, &digest);
        let old = [&paths.data, &paths.map, &paths.lock]
            .into_iter()
            .all(|path| !path.exists() || durable::is_older_than(path, claim::RESUMABLE));
        if old && let Ok(Some(_lock)) = try_lock(&paths.lock) {
            paths.delete();
        }
    }
}

impl Store {
    pub(super) fn partials(&self) -> PathBuf {
        self.directory.join("partial")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn progress_never_goes_back_and_never_says_more_than_is_there(
            size in 1_u64..400,
            part in 1_u64..100,
            writes in proptest::collection::vec((0_u64..400, 1_u64..120), 0..60),
        ) {
            let directory = tempfile::tempdir().unwrap();
            let store = Store::open(directory.path()).unwrap();
            let whole: Vec<u8> = (0..size).map(|byte| u8::try_from(byte % 251).unwrap() | 1).collect();
            let digest = Digest::of(&whole);
            let mut partial = Partial::open(&store, &digest, size, part).unwrap().unwrap();
            let mut last = Reach::default();
            for (round, (start, length)) in writes.into_iter().enumerate() {
                let (start, end) = (start.min(size), (start + length).min(size));
                let bytes = &whole[usize::try_from(start).unwrap()..usize::try_from(end).unwrap()];
                partial.write(start, &[Bytes::copy_from_slice(bytes)]).unwrap();
                if round % 7 == 3 {
                    // Another process goes on.
                    drop(partial);
                    partial = Partial::open(&store, &digest, size, part).unwrap().unwrap();
                }
                let reach = partial.reach();
                prop_assert!(reach.completed >= last.completed && reach.frontier >= last.frontier);
                prop_assert!(reach.frontier <= reach.completed && reach.completed <= size);
                last = reach;
                let mut there = vec![0; usize::try_from(reach.frontier).unwrap()];
                partial.read(&mut there, 0).unwrap();
                prop_assert_eq!(&there[..], &whole[..there.len()]);
            }
            let map = partial.map().clone();
            for part in 0..map.parts() {
                let missing = map.missing(part);
                let bytes = &whole[usize::try_from(missing.start).unwrap()..usize::try_from(missing.end).unwrap()];
                partial.write(missing.start, &[Bytes::copy_from_slice(bytes)]).unwrap();
            }
            prop_assert_eq!(partial.reach(), Reach { completed: size, frontier: size });
            partial.finish(&store.blob_path(&digest)).unwrap();
            drop(partial);
            prop_assert_eq!(fs::read(store.blob_path(&digest)).unwrap(), whole);
            prop_assert_eq!(fs::read_dir(store.partials()).unwrap().count(), 0);
        }
    }

    #[test]
    fn only_one_brings_a_blob_in() {
        let directory = tempfile::tempdir().unwrap();
        let (one, other) = (Store::open(directory.path()).unwrap(), Store::open(directory.path()).unwrap());
        let digest = Digest::of(b"blob");
        let partial = Partial::open(&one, &digest, 4, 2).unwrap().unwrap();
        assert!(Partial::open(&other, &digest, 4, 2).unwrap().is_none());
        partial.write(0, &[Bytes::from_static(b"bl")]).unwrap();
        partial.save().unwrap();
        assert_eq!(Partial::completed_elsewhere(&other, &digest, 4), 2);
        drop(partial);
        let partial = Partial::open(&other, &digest, 4, 2).unwrap().unwrap();
        assert!(partial.resumed());
        partial.discard();
        drop(partial);
        assert!(!Partial::open(&one, &digest, 4, 2).unwrap().unwrap().resumed());
    }

    #[test]
    fn what_a_killed_process_left_beside_its_finished_blob_is_cleared() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).unwrap();
        let digest = Digest::of(b"content");
        let left = || fs::read_dir(store.partials()).map_or(0, Iterator::count);
        Partial::clear(&store, &digest).unwrap();
        let partial = Partial::open(&store, &digest, 7, 7).unwrap().unwrap();
        partial.write(0, &[Bytes::from_static(b"content")]).unwrap();
        partial.finish(&store.blob_path(&digest)).unwrap();
        Partial::clear(&store, &digest).unwrap();
        assert_eq!(left(), 2, "it is still held");
        // As a kill leaves it: the locks end, the files stay.
        partial.keep.store(true, Ordering::Release);
        drop(partial);
        assert_eq!(left(), 2);
        Partial::clear(&store, &digest).unwrap();
        assert_eq!(left(), 0);
        assert_eq!(fs::read(store.blob_path(&digest)).unwrap(), b"content");
    }

    #[test]
    fn a_map_that_does_not_fit_its_file_is_not_believed() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).unwrap();
        let digest = Digest::of(b"blob");
        let paths = Paths::of(&store.partials(), &digest);
        drop(Partial::open(&store, &digest, 4, 2).unwrap());
        for map in [
            "",
            "{",
            r#"{"size_bytes":4,"part_bytes":2,"done":[2,3]}"#,
            r#"{"size_bytes":4,"part_bytes":0,"done":[]}"#,
            r#"{"size_bytes":4,"part_bytes":2,"done":[2]}"#,
            r#"{"size_bytes":4,"part_bytes":1,"done":[1,1,1,1,1]}"#,
            r#"{"size_bytes":5,"part_bytes":5,"done":[5]}"#,
            r#"{"size_bytes":4,"part_bytes":18446744073709551615,"done":[5]}"#,
        ] {
            fs::write(&paths.map, record::line(map).repeat(2)).unwrap();
            let partial = Partial::open(&store, &digest, 4, 2).unwrap().unwrap();
            assert_eq!(partial.reach(), Reach::default(), "{map}");
        }
        let good = r#"{"size_bytes":4,"part_bytes":2,"done":[2,1]}"#;
        fs::write(&paths.map, record::line(good).repeat(2)).unwrap();
        assert_eq!(Partial::open(&store, &digest, 4, 2).unwrap().unwrap().reach().completed, 3);
        fs::write(&paths.map, record::line(good).repeat(2)).unwrap();
        fs::write(&paths.data, "bl").unwrap();
        assert_eq!(Partial::open(&store, &digest, 4, 2).unwrap().unwrap().reach(), Reach::default(), "the file is cut");
    }
}
