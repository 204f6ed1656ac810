//! Takes a GGUF file into the store.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, OFlags};
use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;

use super::{Digest, Layer, Manifest, ModelName, Store, StoreError, StoredModel, durable};
use crate::gguf::{Adapter, Gguf, Projector};

const CHUNK_BYTES: usize = 1024 * 1024;

/// How far an import has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    pub done_bytes: u64,
    pub total_bytes: u64,
}

/// A file on its way into the store.
struct Brought<T> {
    copy: NamedTempFile,
    digest: Digest,
    size: u64,
    header: T,
}

impl Store {
    /// Copies the model in `path` into the store and gives it `name`; a model that had the name loses it. The file is
    /// checked before anything is copied, and the copy again, since the file may change in between. Where the file
    /// system can share blocks, the copy takes no space.
    pub fn import(
        &self,
        path: &Path,
        name: &ModelName,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<StoredModel, StoreError> {
        let weights = self.bring(path, read_model, progress)?;
        let _lock = self.lock()?;
        let (layer, gguf) = self.settle("model", weights)?;
        self.register(name, layer, None, &gguf)
    }

    /// The same with the eye of the model, which is a file of its own.
    pub fn import_with_projector(
        &self,
        path: &Path,
        projector: &Path,
        name: &ModelName,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<StoredModel, StoreError> {
        // The smaller one first: it is the one that people mistake.
        let eye = self.bring(projector, read_projector, progress)?;
        let weights = self.bring(path, read_model, progress)?;
        let _lock = self.lock()?;
        let (eye, _) = self.settle("projector", eye)?;
        let (layer, gguf) = self.settle("model", weights)?;
        self.register(name, layer, Some(eye), &gguf)
    }

    /// Makes an adapter a blob, of which [`Self::create`] can make a model.
    pub fn import_adapter(&self, path: &Path, progress: &mut dyn FnMut(Progress)) -> Result<Digest, StoreError> {
        let adapter = self.bring(path, read_adapter, progress)?;
        let _lock = self.lock()?;
        let (layer, _) = self.settle("adapter", adapter)?;
        Ok(layer.digest)
    }

    /// An empty file for weights that are about to be made, gone again unless [`Self::take_made`] takes it.
    pub fn begin_weights(&self) -> Result<NamedTempFile, StoreError> {
        durable::temporary(&self.blobs())
    }

    /// Makes the weights in `file` a blob, of which [`Self::create`] can make a model.
    pub fn take_made(&self, file: NamedTempFile) -> Result<Digest, StoreError> {
        let path = file.path().to_owned();
        let mut copy = file;
        let header = read_model(copy.as_file_mut(), &path)?;
        let length = copy.as_file().metadata().map_err(StoreError::io("reading", &path))?.len();
        let (digest, size) = sum(copy.as_file_mut(), &path, length, &mut |_| {})?;
        let _lock = self.lock()?;
        let (layer, _) = self.settle("model", Brought { copy, digest, size, header })?;
        Ok(layer.digest)
    }

    /// Copies a file that `check` takes beside its place.
    fn bring<T>(
        &self,
        path: &Path,
        check: fn(&mut File, &Path) -> Result<T, StoreError>,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Brought<T>, StoreError> {
        let mut source = open_regular(path)?;
        check(&mut source, path)?;
        let mut copy = durable::temporary(&self.blobs())?;
        let (digest, size) = self.copy_and_sum(&mut source, path, &mut copy, progress)?;
        let header = check(copy.as_file_mut(), path)?;
        Ok(Brought { copy, digest, size, header })
    }

    /// Puts what was brought into its place. The caller holds the lock.
    fn settle<T>(&self, role: &str, brought: Brought<T>) -> Result<(Layer, T), StoreError> {
        let Brought { copy, digest, size, header } = brought;
        if self.blob_size(&digest) == Some(size) {
            drop(copy);
        } else {
            durable::put(copy, &self.blob_path(&digest))?;
        }
        Ok((Layer::new(role, digest, size), header))
    }

    /// As [`Store::import`], but where no copy can share the file's blocks, the very file becomes the blob, by another
    /// name (a hard link): for files that stay as they are. Whoever changes such a file later damages the model. A file
    /// on another disk is copied.
    pub fn import_in_place(
        &self,
        path: &Path,
        name: &ModelName,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<StoredModel, StoreError> {
        let mut source = open_model(path)?;
        let before = source.metadata().map_err(StoreError::io("reading", path))?;
        let trial = durable::temporary(&self.blobs())?;
        let same_disk = trial.as_file().metadata().is_ok_and(|trial| trial.dev() == before.dev());
        if !same_disk || rustix::fs::ioctl_ficlone(trial.as_file(), &source).is_ok() {
            return self.import(path, name, progress);
        }
        drop(trial);
        let (digest, size) = sum(&mut source, path, before.len(), progress)?;
        let gguf = read_model(&mut source, path)?;
        let after = source.metadata().map_err(StoreError::io("reading", path))?;
        if (before.len(), before.mtime(), before.mtime_nsec()) != (size, after.mtime(), after.mtime_nsec()) {
            return Err(StoreError::Changed { path: path.to_owned() });
        }

        let lock = self.lock()?;
        let blob = self.blob_path(&digest);
        if self.blob_size(&digest) != Some(size) {
            let _ = fs::remove_file(&blob);
            if link_open_file(&source, &blob).is_err() {
                // The file belongs to somebody else, or its file system knows no links.
                drop(lock);
                return self.import(path, name, progress);
            }
            durable::sync_directory(&self.blobs())?;
        }
        self.register(name, Layer::new("model", digest, size), None, &gguf)
    }

    /// Gives what is in the store a name. The caller holds the lock.
    fn register(
        &self,
        name: &ModelName,
        weights: Layer,
        projector: Option<Layer>,
        gguf: &Gguf,
    ) -> Result<StoredModel, StoreError> {
        let (manifest, config) = Manifest::of(weights, projector, gguf);
        let kept = self.put_blob(&config).and_then(|_| self.put_manifest(name, &manifest));
        let loaded = kept.and_then(|name| self.load(&name));
        if loaded.is_err() {
            // The blobs may be new, and then no name stands for them.
            let digests: Vec<Digest> = manifest.digests().cloned().collect();
            let _ = self.discard_unused(&digests);
        }
        loaded
    }

    fn copy_and_sum(
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

/// Opens a file that is a model.
fn open_model(path: &Path) -> Result<File, StoreError> {
    let mut source = open_regular(path)?;
    read_model(&mut source, path)?;
    Ok(source)
}

fn read_model(file: &mut File, path: &Path) -> Result<Gguf, StoreError> {
    Gguf::read(file).map_err(|source| StoreError::Gguf { path: path.to_owned(), source })
}

fn read_projector(file: &mut File, path: &Path) -> Result<Projector, StoreError> {
    Projector::read(file).map_err(|source| StoreError::Gguf { path: path.to_owned(), source })
}

fn read_adapter(file: &mut File, path: &Path) -> Result<Adapter, StoreError> {
    Adapter::read(file).map_err(|source| StoreError::Gguf { path: path.to_owned(), source })
}

/// Gives an open file another name. The file itself, wherever its path leads by now.
fn link_open_file(file: &File, link: &Path) -> io::Result<()> {
    let open = format!("/proc/self/fd/{}", file.as_raw_fd());
    rustix::fs::linkat(CWD, open, CWD, link, AtFlags::SYMLINK_FOLLOW).map_err(io::Error::from)
}

fn sum(
    file: &mut File,
    path: &Path,
    total_bytes: u64,
    progress: &mut dyn FnMut(Progress),
) -> Result<(Digest, u64), StoreError> {
    file.seek(SeekFrom::Start(0)).map_err(StoreError::io("reading", path))?;
    let mut hasher = Sha256::new();
    let mut done_bytes = 0;
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        progress(Progress { done_bytes, total_bytes });
        let length = match file.read(&mut chunk) {
            Ok(0) => break,
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(StoreError::io("reading", path)(error)),
        };
        hasher.update(&chunk[..length]);
        done_bytes += length as u64;
    }
    Ok((Digest::from_sum(hasher.finalize().into()), done_bytes))
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
