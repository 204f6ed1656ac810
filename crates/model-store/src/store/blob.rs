//! Blobs that come from outside one by one, as clients upload them before they make a model of them.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;
use tokio_util::task::TaskTracker;

use super::{Digest, Layer, Store, StoreError, durable};

/// What became of an upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Uploaded {
    Created,
    AlreadyThere,
}

/// A blob while it is uploaded. Dropped before its end, it leaves nothing.
#[derive(Debug)]
pub struct BlobUpload {
    store: Arc<Store>,
    expected: Digest,
    file: NamedTempFile,
    hasher: Sha256,
    left_bytes: u64,
    limit_bytes: u64,
}

impl BlobUpload {
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.left_bytes = self
            .left_bytes
            .checked_sub(bytes.len() as u64)
            .ok_or(StoreError::TooLong { limit_bytes: self.limit_bytes })?;
        self.hasher.update(bytes);
        self.file.write_all(bytes).map_err(StoreError::io("writing", &self.store.blobs()))
    }

    /// Puts the blob into the store, if its content is what its name says.
    pub fn finish(self) -> Result<Uploaded, StoreError> {
        let actual = Digest::from_sum(self.hasher.finalize().into());
        if actual != self.expected {
            return Err(StoreError::DigestMismatch { expected: self.expected, actual });
        }
        let _lock = self.store.lock()?;
        if self.store.has_blob(&actual) {
            return Ok(Uploaded::AlreadyThere);
        }
        durable::put(self.file, &self.store.blob_path(&actual))?;
        Ok(Uploaded::Created)
    }
}

impl Store {
    pub fn has_blob(&self, digest: &Digest) -> bool {
        self.blob_size(digest).is_some()
    }

    /// The length of a blob that is there, in bytes.
    pub fn blob_size(&self, digest: &Digest) -> Option<u64> {
        fs::metadata(self.blob_path(digest)).ok().filter(fs::Metadata::is_file).map(|metadata| metadata.len())
    }

    /// Begins to take in a blob of at most `limit_bytes`. One that is never made part of a model is collected an hour
    /// later.
    pub fn begin_upload(self: &Arc<Self>, digest: Digest, limit_bytes: u64) -> Result<BlobUpload, StoreError> {
        let file = durable::temporary(&self.blobs())?;
        Ok(BlobUpload {
            store: Arc::clone(self),
            expected: digest,
            file,
            hasher: Sha256::new(),
            left_bytes: limit_bytes,
            limit_bytes,
        })
    }

    /// Takes a whole blob in from a stream, off the async threads.
    pub async fn upload<S, E>(
        self: &Arc<Self>,
        digest: Digest,
        limit_bytes: u64,
        mut content: S,
    ) -> Result<Uploaded, StoreError>
    where
        S: Stream<Item = Result<Bytes, E>> + Unpin,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let (store, wanted) = (Arc::clone(self), digest.clone());
        let upload = blocking(move || {
            if store.has_blob(&wanted) { Ok(None) } else { store.begin_upload(wanted, limit_bytes).map(Some) }
        });
        let Some(mut upload) = upload.await? else { return Ok(Uploaded::AlreadyThere) };
        while let Some(bytes) = content.next().await {
            let bytes = bytes.map_err(|error| StoreError::Upload(error.into()))?;
            upload = blocking(move || upload.write(&bytes).map(|()| upload)).await?;
        }
        blocking(move || upload.finish()).await
    }

    /// Writes a small blob that is at hand. The caller holds the lock.
    pub(super) fn put_blob(&self, bytes: &[u8]) -> Result<Digest, StoreError> {
        let digest = Digest::of(bytes);
        let path = self.blob_path(&digest);
        if self.blob_size(&digest) != Some(bytes.len() as u64) {
            durable::write(&path, bytes, &self.blobs())?;
        }
        Ok(digest)
    }

    /// Reads a small layer whole.
    pub(super) fn read_layer(&self, name: &str, layer: &Layer, limit_bytes: u64) -> Result<Vec<u8>, StoreError> {
        let path = self.blob_path(&layer.digest);
        durable::read_small(&path, limit_bytes).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => StoreError::MissingBlob { name: name.to_owned(), digest: layer.digest.clone() },
            io::ErrorKind::FileTooLarge => StoreError::TooLong { limit_bytes },
            _ => StoreError::io("reading a blob", &path)(error),
        })
    }

    /// Reads a piece of a blob, for those who pass it on.
    pub(crate) fn read_blob(&self, digest: &Digest, offset: u64, length: u64) -> Result<Bytes, StoreError> {
        use std::io::{Seek as _, SeekFrom};
        let path = self.blob_path(digest);
        let read = |path: &Path| {
            let mut file = fs::File::open(path)?;
            file.seek(SeekFrom::Start(offset))?;
            let mut bytes = Vec::new();
            file.take(length).read_to_end(&mut bytes)?;
            Ok(Bytes::from(bytes))
        };
        read(&path).map_err(StoreError::io("reading a blob", &path))
    }

    /// Bytes that may still be written to the disk that holds the store.
    pub fn free_bytes(&self) -> Result<u64, StoreError> {
        let blobs = self.blobs();
        let disk = rustix::fs::statvfs(&blobs)
            .map_err(|error| StoreError::io("asking for free space", &blobs)(error.into()))?;
        Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
    }
}

/// Runs what blocks on the disk off the async threads.
pub(crate) async fn blocking<T, W>(work: W) -> Result<T, StoreError>
where
    T: Send + 'static,
    W: FnOnce() -> Result<T, StoreError> + Send + 'static,
{
    blocking_among(&TaskTracker::new(), work).await
}

/// As [`blocking`], among jobs that are waited for even when nobody waits for this one any more.
pub(crate) async fn blocking_among<T, W>(jobs: &TaskTracker, work: W) -> Result<T, StoreError>
where
    T: Send + 'static,
    W: FnOnce() -> Result<T, StoreError> + Send + 'static,
{
    jobs.spawn_blocking(work).await.unwrap_or_else(|error| {
        Err(StoreError::Io { what: "working", path: "the store".into(), source: io::Error::other(error) })
    })
}
