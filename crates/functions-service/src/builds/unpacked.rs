//! Packages as they lie on this machine's disk, also since lives of the server before. All can be made again.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use stoa_functions_local::remove_folder;
use stoa_model::Timestamp;
use tokio::sync::OnceCell;

/// How long packages stay that nobody has.
const SPARED: Duration = Duration::from_hours(7 * 24);

/// Nothing is made for as long: whoever wanted it has gone away.
const MAKING: Duration = Duration::from_hours(24);

/// Where packages lie, once they are made. They stay there as long as anybody has this.
pub(super) type Place = Arc<OnceCell<PathBuf>>;

pub(super) struct Unpacked {
    folder: PathBuf,
    /// By key. Whoever comes second waits for the first.
    places: Mutex<HashMap<String, Place>>,
}

impl Unpacked {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder, places: Mutex::default() }
    }

    fn places(&self) -> MutexGuard<'_, HashMap<String, Place>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn place(&self, key: &str) -> Place {
        Arc::clone(self.places().entry(key.to_owned()).or_default())
    }

    /// Where what is whole is moved to, for whoever makes it.
    pub(super) fn path(&self, key: &str) -> PathBuf {
        self.folder.join(key)
    }

    /// Where it lies until then.
    pub(super) fn making(&self, key: &str) -> PathBuf {
        self.folder.join(format!(".{key}.{:x}", rand::random::<u64>()))
    }

    /// Removes what a life of the server before has not made whole, or not removed. Before anything is made. Blocks.
    pub(super) fn clear(&self) -> io::Result<()> {
        for name in self.names()?.iter().filter(|name| name.starts_with('.')) {
            remove_folder(&self.folder.join(name))?;
        }
        Ok(())
    }

    /// Removes what nobody has: what was not used for long, and, while the disk is almost full, what was not used for longest.
    /// Blocks.
    pub(super) fn sweep(&self, now: Timestamp, is_short: impl Fn(&Path) -> io::Result<bool>) -> io::Result<()> {
        self.places().retain(|_, place| place.get().is_some() || Arc::strong_count(place) > 1);
        let mut unused = Vec::new();
        for name in self.names()? {
            let folder = self.folder.join(&name);
            let used = match folder.metadata() {
                // It has just become whole.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                found => found?.modified()?,
            };
            if name.starts_with('.') {
                if used < time(now.minus(MAKING)) {
                    remove_folder(&folder)?;
                }
            } else if self.places().get(&name).is_some_and(|place| Arc::strong_count(place) > 1) {
                touch(&folder, now)?;
            } else {
                unused.push((used, name));
            }
        }
        unused.sort();
        let limit = time(now.minus(SPARED));
        for (used, name) in unused {
            if used >= limit && !is_short(&self.folder)? {
                break;
            }
            if let Some(aside) = self.set_aside(&name)? {
                remove_folder(&aside)?;
            }
        }
        Ok(())
    }

    /// Takes it away from whoever comes from now on, unless somebody has it by now.
    fn set_aside(&self, name: &str) -> io::Result<Option<PathBuf>> {
        let mut places = self.places();
        if places.get(name).is_some_and(|place| Arc::strong_count(place) > 1) {
            return Ok(None);
        }
        let aside = self.making(name);
        std::fs::rename(self.folder.join(name), &aside)?;
        places.remove(name);
        Ok(Some(aside))
    }

    fn names(&self) -> io::Result<Vec<String>> {
        let entries = match std::fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        // All names are ours.
        entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
    }
}

/// Notes that packages are used now. Blocks.
pub(super) fn touch(folder: &Path, now: Timestamp) -> io::Result<()> {
    File::open(folder)?.set_modified(time(now))
}

fn time(of: Timestamp) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(u64::try_from(of.as_millis()).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_767_225_600_000);
    const DAY: Duration = Duration::from_hours(24);

    fn made(unpacked: &Unpacked, key: &str, used: Timestamp) -> PathBuf {
        let folder = unpacked.path(key);
        std::fs::create_dir_all(folder.join("node_modules")).unwrap();
        std::fs::write(folder.join("node_modules/x.js"), key).unwrap();
        touch(&folder, used).unwrap();
        folder
    }

    #[test]
    fn what_nobody_has_goes_after_a_week_and_what_somebody_has_stays() {
        let folder = tempfile::tempdir().unwrap();
        let unpacked = Unpacked::new(folder.path().join("packages"));
        unpacked.sweep(NOW, |_| Ok(false)).unwrap();
        let long_ago = NOW.minus(8 * DAY);
        let [old, held, late] = [("old", long_ago), ("held", long_ago), ("late", NOW.minus(6 * DAY))]
            .map(|(key, at)| made(&unpacked, key, at));
        for (key, path) in [("old", &old), ("held", &held)] {
            unpacked.place(key).set(path.clone()).unwrap();
        }
        let holds = unpacked.place("held");
        unpacked.sweep(NOW, |_| Ok(false)).unwrap();
        assert_eq!([&old, &held, &late].map(|path| path.exists()), [false, true, true]);
        assert!(unpacked.place("old").get().is_none(), "whoever wants it has it made again");
        drop(holds);
        unpacked.sweep(NOW.plus(2 * DAY), |_| Ok(false)).unwrap();
        assert_eq!([held.exists(), late.exists()], [true, false], "it was used until just now");
        assert_eq!(unpacked.place("held").get(), Some(&held));
        assert_eq!(unpacked.names().unwrap(), ["held"]);
    }

    #[test]
    fn a_full_disk_takes_what_was_not_used_for_longest() {
        let folder = tempfile::tempdir().unwrap();
        let unpacked = Unpacked::new(folder.path().to_owned());
        let made = ["a", "b", "c", "d"].map(|key| {
            let hours = Duration::from_hours(u64::from(b'z' - key.as_bytes()[0]));
            made(&unpacked, key, NOW.minus(hours))
        });
        let _held = unpacked.place("a");
        let there = || made.iter().filter(|path| path.exists()).count();
        unpacked.sweep(NOW, |_| Ok(there() > 2)).unwrap();
        assert_eq!(made.map(|path| path.exists()), [true, false, false, true]);
    }

    #[test]
    fn what_was_not_finished_goes_at_the_next_start() {
        let folder = tempfile::tempdir().unwrap();
        let unpacked = Unpacked::new(folder.path().to_owned());
        made(&unpacked, "whole", NOW);
        std::fs::create_dir_all(unpacked.making("half").join("x")).unwrap();
        let abandoned = unpacked.making("abandoned");
        std::fs::create_dir(&abandoned).unwrap();
        touch(&abandoned, NOW.minus(2 * DAY)).unwrap();
        unpacked.sweep(NOW, |_| Ok(true)).unwrap();
        assert_eq!(unpacked.names().unwrap().len(), 1, "one may still be in the making");
        unpacked.clear().unwrap();
        assert_eq!(unpacked.names().unwrap(), Vec::<String>::new());
    }
}
