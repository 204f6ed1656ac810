//! Takes a GGUF file into the store.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use rustix::fs::OFlags;
use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;

use super::{Digest, Manifest, ModelName, Store, StoreError, StoredModel, durable};
use crate::gguf::Gguf;

const CHUNK_BYTES: usize = 1024 * 1024;

/// How far an import has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    pub done_bytes: u64,
    pub total_bytes: u64,
}

impl Store {
    /// Copies the model in `path` into the store and gives it `name`; a model that had the name loses it. The file is
    /// checked before anything is copied, and the copy again, since the file may change in between.
    pub fn import(
        &self,
        path: &Path,
        name: &ModelName,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<StoredModel, StoreError> {
        let unreadable = |source| StoreError::Gguf { path: path.to_owned(), source };
        let mut source = open_regular(path)?;
        Gguf::read(&mut source).map_err(unreadable)?;

        let mut copy = durable::temporary(&self.blobs())?;
        let (digest, size) = self.copy(&mut source, path, &mut copy, progress)?;
        let gguf = Gguf::read(copy.as_file_mut()).map_err(unreadable)?;

        let _lock = self.lock()?;
        let blob = self.blob_path(&digest);
        if blob.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.len() == size) {
            drop(copy);
        } else {
            durable::put(copy, &blob)?;
        }
        let (manifest, config) = Manifest::of(digest.clone(), size, &gguf);
        let kept = self.keep(name, &manifest, &config).and_then(|name| self.load(&name));
        if kept.is_err() {
            // The blob may be new, and then no name stands for it.
            self.discard_unused(&manifest);
        }
        kept
    }

    /// Writes the configuration and the manifest. A name that differs only in its capitals is the same name.
    fn keep(&self, name: &ModelName, manifest: &Manifest, config: &[u8]) -> Result<ModelName, StoreError> {
        let blob = self.blob_path(&manifest.config.digest);
        if !blob.is_file() {
            durable::write(&blob, config)?;
        }
        let name = self.existing(name)?.unwrap_or_else(|| name.clone());
        let path = self.manifest_path(&name);
        let text = serde_json::to_vec(manifest)
            .map_err(|error| StoreError::io("writing the manifest", &path)(io::Error::from(error)))?;
        let replaced = self.manifest(&name).ok();
        durable::write(&path, &text)?;
        if let Some(replaced) = replaced.filter(|replaced| replaced != manifest) {
            self.discard_unused(&replaced);
        }
        Ok(name)
    }

    /// Deletes the blobs of a manifest that no name stands for any more. The caller holds the lock.
    fn discard_unused(&self, manifest: &Manifest) {
        let Ok(names) = self.names() else { return };
        let manifests: Result<Vec<Manifest>, _> = names.iter().map(|name| self.manifest(name)).collect();
        let Ok(manifests) = manifests else { return };
        for digest in manifest.digests() {
            if !manifests.iter().flat_map(Manifest::digests).any(|used| used == digest) {
                let _ = std::fs::remove_file(self.blob_path(digest));
            }
        }
    }

    fn copy(
        &self,
        source: &mut File,
        path: &Path,
        copy: &mut NamedTempFile,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(Digest, u64), StoreError> {
        let directory = self.blobs();
        let total_bytes = source.metadata().map_err(StoreError::io("reading", path))?.len();
        // On a file system that can share blocks, the copy costs neither time nor space. It is still read once: its
        // sum is its name.
        let shared = rustix::fs::ioctl_ficlone(copy.as_file(), &*source).is_ok();
        source.seek(SeekFrom::Start(0)).map_err(StoreError::io("reading", path))?;
        let mut hasher = Sha256::new();
        let mut done_bytes = 0;
        let mut chunk = vec![0; CHUNK_BYTES];
        progress(Progress { done_bytes, total_bytes });
        loop {
            let read = if shared { copy.read(&mut chunk) } else { source.read(&mut chunk) };
            let length = match read {
                Ok(0) => break,
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(StoreError::io("reading", path)(error)),
            };
            hasher.update(&chunk[..length]);
            if !shared {
                copy.write_all(&chunk[..length]).map_err(StoreError::io("writing", &directory))?;
            }
            done_bytes += length as u64;
            progress(Progress { done_bytes, total_bytes });
        }
        Ok((Digest::from_sum(hasher.finalize().into()), done_bytes))
    }
}

/// Opens a regular file and nothing else: a pipe or a device could block for ever or never end.
fn open_regular(path: &Path) -> Result<File, StoreError> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let file = File::options().read(true).custom_flags(OFlags::NONBLOCK.bits().cast_signed()).open(path).map_err(
        |source| match source.kind() {
            io::ErrorKind::NotFound => StoreError::NoSuchFile { path: path.to_owned() },
            _ => StoreError::Io { what: "opening", path: path.to_owned(), source },
        },
    )?;
    let metadata = file.metadata().map_err(StoreError::io("reading", path))?;
    if metadata.is_file() { Ok(file) } else { Err(StoreError::NotAFile { path: path.to_owned() }) }
}
