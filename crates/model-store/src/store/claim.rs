//! Blobs that must stay although no manifest names them yet, said so that every process on the store can see it.
//!
//! A claim is a file in `claims` that lists digests. Its owner holds a lock on it, which ends with the owner however that
//! dies. What a pull claimed is kept for a while even then, so that the pull can go on where it stopped.

use std::collections::HashSet;
use std::fs::{self, File, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Digest, ModelName, Store, StoreError, durable};

/// How long what an unfinished pull has brought is kept for it to go on.
pub(super) const RESUMABLE: Duration = Duration::from_hours(7 * 24);

/// The longest claim in bytes: all digests of the longest manifest.
const MAX_CLAIM_BYTES: u64 = 2 * 1024 * 1024;

#[derive(Debug, Serialize, Deserialize)]
struct Wanted {
    /// Whether it outlives its owner for [`RESUMABLE`].
    resumable: bool,
    name: String,
    digests: HashSet<Digest>,
}

/// Keeps blobs from being collected. Dropped, it lets go of them, unless it is a pull's: then they stay for as long as
/// the pull may be taken up again, and [`Claim::settle`] ends that.
#[derive(Debug)]
pub struct Claim {
    path: PathBuf,
    /// Whether it goes with its owner.
    settled: bool,
    /// Locked while this lives.
    locked: File,
}

impl Claim {
    /// Ends the claim for good: a manifest names the blobs now, or nobody wants them any more.
    pub(crate) fn settle(mut self) {
        self.settled = true;
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if self.settled {
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl Store {
    /// Keeps the blobs of a model that is in use, also from a removal of the model by another process.
    pub fn hold(&self, name: &ModelName, digests: &[&Digest]) -> Result<Claim, StoreError> {
        let mut claim = self.claim(name, digests, false)?;
        claim.settled = true;
        Ok(claim)
    }

    /// Keeps the blobs that a pull of `name` needs, those that are there and those to come.
    pub(crate) fn claim_for_pull(&self, name: &ModelName, digests: &[&Digest]) -> Result<Claim, StoreError> {
        self.claim(name, digests, true)
    }

    fn claim(&self, name: &ModelName, digests: &[&Digest], resumable: bool) -> Result<Claim, StoreError> {
        let directory = self.claims();
        let wanted = Wanted { resumable, name: name.to_string(), digests: digests.iter().copied().cloned().collect() };
        let _lock = self.lock()?;
        fs::create_dir_all(&directory).map_err(StoreError::io("making the directory", &directory))?;
        if resumable {
            self.forget_earlier_pulls(&wanted.name)?;
        }
        let failed = |error| StoreError::io("claiming blobs", &directory)(error);
        let mut file = durable::temporary(&directory)?;
        file.write_all(&serde_json::to_vec(&wanted).map_err(|error| failed(error.into()))?).map_err(failed)?;
        let (file, path) = file.keep().map_err(|error| failed(error.error))?;
        let claim = Claim { path, settled: false, locked: file };
        // Nobody else can have locked a file that is a moment old.
        claim.locked.try_lock().map_err(|error| failed(error.into()))?;
        Ok(claim)
    }

    /// Ends the claims that earlier, unfinished pulls of `name` have left.
    pub(crate) fn settle_earlier_pulls(&self, name: &ModelName) -> Result<(), StoreError> {
        let _lock = self.lock()?;
        self.forget_earlier_pulls(&name.to_string())
    }

    /// The caller holds the lock.
    fn forget_earlier_pulls(&self, name: &str) -> Result<(), StoreError> {
        self.each_claim(|path, wanted, live| {
            if !live && wanted.name == name {
                let _ = fs::remove_file(path);
            }
        })
    }

    /// All digests that somebody claims. The caller holds the lock. Claims that mean nothing any more are deleted.
    pub(super) fn claimed(&self) -> Result<HashSet<Digest>, StoreError> {
        let mut claimed = HashSet::new();
        self.each_claim(|path, wanted, live| {
            if live || (wanted.resumable && !durable::is_older_than(path, RESUMABLE)) {
                claimed.extend(wanted.digests);
            } else {
                let _ = fs::remove_file(path);
            }
        })?;
        Ok(claimed)
    }

    fn each_claim(&self, mut see: impl FnMut(&Path, Wanted, bool)) -> Result<(), StoreError> {
        let directory = self.claims();
        let entries = match fs::read_dir(&directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            entries => entries.map_err(StoreError::io("listing", &directory))?,
        };
        for entry in entries {
            let path = entry.map_err(StoreError::io("listing", &directory))?.path();
            // For writing, too: some network file systems lock nothing else.
            let file = match File::options().read(true).write(true).open(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                file => file.map_err(StoreError::io("reading a claim", &path))?,
            };
            let live = match file.try_lock() {
                Ok(()) => false,
                Err(TryLockError::WouldBlock) => true,
                Err(TryLockError::Error(error)) => return Err(StoreError::io("reading a claim", &path)(error)),
            };
            let wanted = durable::read_small(&path, MAX_CLAIM_BYTES)
                .and_then(|bytes| serde_json::from_slice(&bytes).map_err(io::Error::from));
            match wanted {
                Ok(wanted) => see(&path, wanted, live),
                // Its owner died while writing it, and had not begun to rely on it.
                Err(_) if !live => {
                    let _ = fs::remove_file(&path);
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(StoreError::io("reading a claim", &path)(error)),
            }
        }
        Ok(())
    }

    fn claims(&self) -> PathBuf {
        self.directory.join("claims")
    }
}
