//! What goes: names, blobs that nothing uses any more, and what dead processes left lying about.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::PoisonError;
use std::time::Duration;

use super::{Digest, MAX_LISTED, ModelName, Store, StoreError, durable, partial};

/// Files of imports that died, and blobs that nothing has ever used, are deleted when they are older than this.
pub(super) const STALE: Duration = Duration::from_hours(1);

impl Store {
    /// Removes the name, and every blob that no other name uses and nobody claims.
    pub fn remove(&self, name: &str) -> Result<(), StoreError> {
        let wanted: ModelName = name.parse()?;
        let _lock = self.lock()?;
        let name = self.existing(&wanted)?.ok_or_else(|| StoreError::NotFound { name: wanted.to_string() })?;
        let path = self.manifest_path(&name);
        // A damaged manifest can be removed, too; which blobs it used is then unknown, so all stay.
        let digests: Vec<Digest> =
            self.manifest(&name).map(|manifest| manifest.digests().cloned().collect()).unwrap_or_default();
        fs::remove_file(&path).map_err(StoreError::io("removing the manifest", &path))?;
        remove_empty_parents(&path);
        self.discard_unused(&digests)
    }

    /// Deletes every blob that no name uses, nobody claims, and that has been there for an hour, so that uploads find
    /// the time to become models. What unfinished pulls have brought is kept for a week. Answers how many bytes went.
    pub fn collect(&self) -> Result<u64, StoreError> {
        self.sweep();
        let _lock = self.lock()?;
        partial::sweep(&self.partials());
        let Some(kept) = self.in_use()? else { return Ok(0) };
        let mut freed_bytes = 0;
        let directory = self.blobs();
        for entry in fs::read_dir(&directory).map_err(StoreError::io("listing", &directory))? {
            let entry = entry.map_err(StoreError::io("listing", &directory))?;
            let Some(digest) = entry.file_name().to_str().and_then(Digest::from_file_name) else { continue };
            if !kept.contains(&digest) && durable::is_older_than(&entry.path(), STALE) {
                let length = entry.metadata().map(|metadata| metadata.len()).unwrap_or_default();
                self.delete_blob(&digest)?;
                freed_bytes += length;
            }
        }
        Ok(freed_bytes)
    }

    /// Deletes those of `digests` that no name stands for and nobody claims any more. The caller holds the lock.
    pub(super) fn discard_unused(&self, digests: &[Digest]) -> Result<(), StoreError> {
        if digests.is_empty() {
            return Ok(());
        }
        let Some(kept) = self.in_use()? else { return Ok(()) };
        for digest in digests.iter().filter(|digest| !kept.contains(digest)) {
            self.delete_blob(digest)?;
        }
        durable::sync_directory(&self.blobs())
    }

    /// As [`Store::discard_unused`], for a caller that does not hold the lock.
    pub(crate) fn discard(&self, digests: &[Digest]) -> Result<(), StoreError> {
        let _lock = self.lock()?;
        self.discard_unused(digests)
    }

    /// What manifests name and claims want. `None` when it cannot be known: then nothing can be said to be unused.
    fn in_use(&self) -> Result<Option<HashSet<Digest>>, StoreError> {
        let mut used = match self.claimed() {
            Ok(claimed) => claimed,
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "claims cannot be read; nothing is collected");
                return Ok(None);
            }
        };
        let names = self.names()?;
        if names.len() >= MAX_LISTED {
            return Ok(None);
        }
        for name in names {
            match self.manifest(&name) {
                Ok(manifest) => used.extend(manifest.digests().cloned()),
                Err(StoreError::NotFound { .. }) => {}
                // What a damaged manifest uses is unknown.
                Err(_) => return Ok(None),
            }
        }
        Ok(Some(used))
    }

    fn delete_blob(&self, digest: &Digest) -> Result<(), StoreError> {
        let blob = self.blob_path(digest);
        match fs::remove_file(&blob) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(StoreError::io("removing a blob", &blob)(error));
            }
            _ => {}
        }
        self.headers.lock().unwrap_or_else(PoisonError::into_inner).remove(digest);
        Ok(())
    }

    /// Deletes what dead imports and uploads have left.
    pub(super) fn sweep(&self) {
        let Ok(entries) = fs::read_dir(self.blobs()) else { return };
        for entry in entries.flatten() {
            let unfinished = entry.file_name().to_str().is_some_and(|name| name.starts_with(durable::TEMPORARY));
            if unfinished && durable::is_older_than(&entry.path(), STALE) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}

fn remove_empty_parents(manifest: &Path) {
    // The three directories of the name; an error means that another name still needs one.
    for directory in manifest.ancestors().skip(1).take(3) {
        if fs::remove_dir(directory).is_err() {
            break;
        }
    }
}
