//! What can go wrong in the store.

use std::io;
use std::path::{Path, PathBuf};

use super::{Digest, NameError};
use crate::gguf::GgufError;

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("{0}")]
    Name(#[from] NameError),
    #[error("there is no model `{name}`")]
    NotFound { name: String },
    #[error("`{path}` is not a regular file")]
    NotAFile { path: PathBuf },
    #[error("`{path}` does not exist")]
    NoSuchFile { path: PathBuf },
    #[error("`{path}` changed while it was read")]
    Changed { path: PathBuf },
    #[error("`{path}` cannot be read as a model: {source}")]
    Gguf { path: PathBuf, source: GgufError },
    #[error("the disk that holds {directory} is full")]
    DiskFull { directory: PathBuf },
    #[error("{directory} cannot be written to")]
    ReadOnly { directory: PathBuf, source: io::Error },
    #[error("the manifest of `{name}` is damaged: {detail}")]
    DamagedManifest { name: String, detail: String },
    #[error("`{name}` is damaged: its blob {digest} is missing")]
    MissingBlob { name: String, digest: Digest },
    /// Nothing was kept of what was uploaded.
    #[error("the content has the digest {actual}, not {expected}")]
    DigestMismatch { expected: Digest, actual: Digest },
    #[error("it is longer than {limit_bytes} bytes")]
    TooLong { limit_bytes: u64 },
    #[error("the upload was cut off")]
    Upload(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A model was to be made of a blob that is not in the store.
    #[error("there is no blob {digest}; upload it first")]
    NoSuchBlob { digest: Digest },
    /// A model was to be made of a blob that cannot be one.
    #[error("the blob {digest} cannot be used as a model: {source}")]
    UnusableBlob { digest: Digest, source: GgufError },
    #[error("a model needs weights: name a model to start from, or the digest of a GGUF file")]
    NoWeights,
    #[error("a model has one adapter here, not several")]
    SeveralAdapters,
    #[error("{what} failed at {path}")]
    Io { what: &'static str, path: PathBuf, source: io::Error },
}

impl StoreError {
    pub(super) fn io(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull { directory: path },
            io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => {
                Self::ReadOnly { directory: path, source }
            }
            _ => Self::Io { what, path, source },
        }
    }
}
