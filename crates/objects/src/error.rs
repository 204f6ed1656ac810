//! What can go wrong with a store of blobs.

use std::path::PathBuf;

use crate::{Digest, MAX_BLOB_BYTES};

/// The address of a store that cannot be one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LocationError {
    #[error("it is no URL: {0}")]
    NoUrl(#[from] url::ParseError),
    #[error("it must begin with `file://` or `s3://`")]
    Scheme,
    #[error("after `file://` comes an absolute path, such as `file:///srv/stoa/objects`, and nothing behind it")]
    Path,
    #[error("after `s3://` comes the name of a bucket, and nothing but a query behind it")]
    Bucket,
    #[error("a key does not belong into the URL; it is given apart")]
    Secrets,
    #[error("there is no option `{0}`: `endpoint`, `region` and `path_style` are known")]
    Option(String),
    #[error("`{0}` is given twice")]
    Twice(String),
    #[error("the endpoint must be an `http` or `https` address without a path, such as `https://s3.example.com`")]
    Endpoint,
    #[error("`path_style` must be true or false")]
    PathStyle,
}

#[derive(Debug, thiserror::Error)]
pub enum ObjectsError {
    #[error("there is no such blob")]
    NotFound,
    /// What lies there is not what was put.
    #[error("the blob {digest} is damaged")]
    Damaged { digest: Digest },
    #[error("a blob may have at most {MAX_BLOB_BYTES} bytes")]
    TooLarge,
    /// The store does not take our credentials, or not for this.
    #[error("the object store refuses access")]
    Refused(#[source] object_store::Error),
    #[error("the folder {} cannot be used", .path.display())]
    Folder {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    /// It cannot be reached, has no room, or broke off; trying again later may help.
    #[error("the object store is not available")]
    Unavailable(#[source] object_store::Error),
}

pub(crate) fn explain(error: object_store::Error) -> ObjectsError {
    match error {
        object_store::Error::NotFound { .. } => ObjectsError::NotFound,
        object_store::Error::PermissionDenied { .. } | object_store::Error::Unauthenticated { .. } => {
            ObjectsError::Refused(error)
        }
        error => ObjectsError::Unavailable(error),
    }
}
