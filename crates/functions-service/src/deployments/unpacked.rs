//! Code as it lies on this machine's disk, with its packages laid over it: once for all that run the same, and for a while
//! after the last of them.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use stoa_functions_local::remove_folder;
use stoa_model::Timestamp;
use stoa_objects::Digest;

use crate::builds::Package;

/// How long code stays that nobody has: people go back and forth.
const SPARED: Duration = Duration::from_mins(5);

/// It stays on the disk as long as anybody has this.
pub(super) struct Unpacked {
    pub(super) folder: PathBuf,
    /// Their files are the same ones, by hard links: as long as they are here, removing them there makes no room.
    pub(super) packages: Vec<Package>,
}

pub(super) struct UnpackedCode {
    folder: PathBuf,
    there: Mutex<HashMap<Digest, There>>,
}

struct There {
    code: Arc<Unpacked>,
    /// Since when it was seen that nobody has it.
    idle_since: Option<Timestamp>,
}

impl UnpackedCode {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder, there: Mutex::default() }
    }

    fn there(&self) -> MutexGuard<'_, HashMap<Digest, There>> {
        self.there.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins anew: what a predecessor had unpacked may be half there. Blocks.
    pub(super) fn clear(&self) -> io::Result<()> {
        let mut there = self.there();
        there.clear();
        if self.folder.exists() {
            remove_folder(&self.folder)?;
        }
        std::fs::create_dir_all(&self.folder)
    }

    pub(super) fn get(&self, digest: &Digest) -> Option<Arc<Unpacked>> {
        self.there().get(digest).map(|there| Arc::clone(&there.code))
    }

    /// Where code lies until it is whole.
    pub(super) fn making(&self, digest: &Digest) -> PathBuf {
        self.folder.join(format!(".{digest}.{:x}", rand::random::<u64>()))
    }

    /// Puts what is whole into its place, or removes it where somebody else has made the same meanwhile. Blocks.
    pub(super) fn put(&self, digest: Digest, making: &Path, packages: Vec<Package>) -> io::Result<Arc<Unpacked>> {
        let mut there = self.there();
        if let Some(same) = there.get(&digest) {
            let code = Arc::clone(&same.code);
            drop(there);
            return remove_folder(making).map(|()| code);
        }
        let folder = self.folder.join(digest.to_string());
        std::fs::rename(making, &folder)?;
        let code = Arc::new(Unpacked { folder, packages });
        there.insert(digest, There { code: Arc::clone(&code), idle_since: None });
        Ok(code)
    }

    /// Removes what nobody has any more. Blocks.
    pub(super) fn sweep(&self, now: Timestamp) -> io::Result<()> {
        // One that cannot be removed keeps none of the others.
        let removed: Vec<_> = self.set_aside(now)?.iter().map(|aside| remove_folder(aside)).collect();
        removed.into_iter().collect()
    }

    /// Takes it away from whoever comes from now on.
    fn set_aside(&self, now: Timestamp) -> io::Result<Vec<PathBuf>> {
        let mut there = self.there();
        let mut over = Vec::new();
        for (digest, there) in there.iter_mut() {
            if Arc::strong_count(&there.code) > 1 {
                there.idle_since = None;
            } else if now.since(*there.idle_since.get_or_insert(now)) > SPARED {
                over.push(*digest);
            }
        }
        let mut aside = Vec::with_capacity(over.len());
        for digest in over {
            let making = self.making(&digest);
            std::fs::rename(self.folder.join(digest.to_string()), &making)?;
            there.remove(&digest);
            aside.push(making);
        }
        Ok(aside)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_767_225_600_000);

    fn unpack(all: &UnpackedCode, text: &str) -> Arc<Unpacked> {
        let digest = Digest::of(text.as_bytes());
        let making = all.making(&digest);
        std::fs::create_dir(&making).unwrap();
        std::fs::write(making.join("app.py"), text).unwrap();
        all.put(digest, &making, Vec::new()).unwrap()
    }

    fn folders(all: &UnpackedCode) -> usize {
        std::fs::read_dir(&all.folder).unwrap().count()
    }

    #[test]
    fn code_that_nobody_has_goes_after_a_while_and_is_made_again() {
        let folder = tempfile::tempdir().unwrap();
        let all = UnpackedCode::new(folder.path().join("code"));
        all.clear().unwrap();
        let served = unpack(&all, "served");
        assert!(Arc::ptr_eq(&served, &unpack(&all, "served")), "the same is there once");
        for revision in 0..50 {
            unpack(&all, &format!("revision {revision}"));
        }
        assert_eq!(folders(&all), 51);
        all.sweep(NOW).unwrap();
        all.sweep(NOW.plus(SPARED)).unwrap();
        assert_eq!(folders(&all), 51);
        let back = all.get(&Digest::of(b"revision 7")).unwrap();
        let later = NOW.plus(SPARED).plus(Duration::from_millis(1));
        all.sweep(later).unwrap();
        assert_eq!(folders(&all), 2, "what is served, and what somebody went back to");
        assert_eq!(std::fs::read(served.folder.join("app.py")).unwrap(), b"served");
        assert_eq!(std::fs::read(back.folder.join("app.py")).unwrap(), b"revision 7");
        drop(back);
        all.sweep(later).unwrap();
        assert_eq!(folders(&all), 2, "its while begins anew");
        all.sweep(later.plus(SPARED * 2)).unwrap();
        assert_eq!(folders(&all), 1);
        assert!(all.get(&Digest::of(b"revision 7")).is_none());
        assert_eq!(std::fs::read(unpack(&all, "revision 7").folder.join("app.py")).unwrap(), b"revision 7");
        all.clear().unwrap();
        assert_eq!(folders(&all), 0);
    }
}
