//! Blobs by their SHA-256, on a disk or in an S3-compatible store: what goes in is kept before it is acknowledged, and
//! what comes out is what its name says.
//!
//! Nobody else chooses a name here, so no file name ever becomes a path. Putting the same bytes twice keeps them once;
//! whoever deletes must know that nobody else counts on them.

mod digest;
mod error;
mod location;
mod way_out;

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use object_store::aws::AmazonS3Builder;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{BackoffConfig, ObjectStore, ObjectStoreExt as _, PutPayload, RetryConfig};
use stoa_egress::Egress;

pub use digest::{Digest, MalformedDigest};
pub use error::{LocationError, ObjectsError};
pub use location::{Bucket, Credentials, Location};

use error::explain;
use way_out::WayOut;

/// Bytes of one blob.
pub const MAX_BLOB_BYTES: usize = 32 * 1024 * 1024;

/// How long one request to a store is tried again.
const PATIENCE: Duration = Duration::from_secs(20);

/// A store of blobs. Cheap to clone; all clones are one store.
#[derive(Clone, Debug)]
pub struct Objects {
    store: Arc<dyn ObjectStore>,
}

impl Objects {
    /// Opens a folder, which is made if need be, and readable by its owner alone.
    pub fn on_disk(folder: &std::path::Path) -> Result<Self, ObjectsError> {
        use std::os::unix::fs::DirBuilderExt as _;
        let unusable = |source| ObjectsError::Folder { path: folder.to_owned(), source };
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(unusable)?;
        let store = LocalFileSystem::new_with_prefix(folder).map_err(explain)?;
        // The file and the folders that it is in are on the disk before a write is acknowledged.
        Ok(Self { store: Arc::new(store.with_fsync(true)) })
    }

    /// Opens a bucket. Nothing is asked of it yet; [`Objects::check`] does.
    ///
    /// `egress` must have the [authority](Bucket::authority) of the bucket on its list of exemptions, or reach it anyway.
    pub fn in_bucket(bucket: &Bucket, credentials: Credentials, egress: Egress) -> Result<Self, ObjectsError> {
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(&bucket.name)
            .with_region(&bucket.region)
            .with_endpoint(bucket.base())
            .with_virtual_hosted_style_request(!bucket.path_style)
            .with_allow_http(true)
            .with_access_key_id(credentials.access_key_id)
            .with_secret_access_key(credentials.secret_access_key)
            .with_http_connector(WayOut(egress))
            .with_retry(RetryConfig { backoff: BackoffConfig::default(), max_retries: 4, retry_timeout: PATIENCE });
        if let Some(token) = credentials.session_token {
            builder = builder.with_token(token);
        }
        Ok(Self { store: Arc::new(builder.build().map_err(explain)?) })
    }

    /// Keeps `bytes`. When this answers, they are durable; that they were there already makes no difference.
    pub async fn put(&self, bytes: Bytes) -> Result<Digest, ObjectsError> {
        if bytes.len() > MAX_BLOB_BYTES {
            return Err(ObjectsError::TooLarge);
        }
        let digest = Digest::of(&bytes);
        // Written again although it may be there: that somebody else's write is durable is not known from its being seen.
        self.store.put(&place(digest), PutPayload::from_bytes(bytes)).await.map_err(explain)?;
        Ok(digest)
    }

    /// The bytes of that digest, checked against it.
    pub async fn get(&self, digest: Digest) -> Result<Bytes, ObjectsError> {
        let found = self.store.get(&place(digest)).await.map_err(explain)?;
        let announced = usize::try_from(found.meta.size).unwrap_or(usize::MAX);
        if announced > MAX_BLOB_BYTES {
            return Err(ObjectsError::Damaged { digest });
        }
        let mut bytes = BytesMut::with_capacity(announced);
        let mut pieces = found.into_stream();
        while let Some(piece) = pieces.next().await {
            let piece = piece.map_err(explain)?;
            if bytes.len() + piece.len() > MAX_BLOB_BYTES {
                return Err(ObjectsError::Damaged { digest });
            }
            bytes.extend_from_slice(&piece);
        }
        let bytes = bytes.freeze();
        if Digest::of(&bytes) == digest { Ok(bytes) } else { Err(ObjectsError::Damaged { digest }) }
    }

    /// Removes a blob. That it is gone already is no fault.
    pub async fn delete(&self, digest: Digest) -> Result<(), ObjectsError> {
        match self.store.delete(&place(digest)).await.map_err(explain) {
            Ok(()) | Err(ObjectsError::NotFound) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Writes, reads and removes a blob, so that a store that cannot be used says so at once. `who` looks is part of the
    /// blob: two that look at the same time must not take it from each other.
    pub async fn check(&self, who: &str) -> Result<(), ObjectsError> {
        let digest = self.put(format!("Stoa ({who}) looks whether it can write here.\n").into()).await?;
        self.get(digest).await?;
        self.delete(digest).await
    }
}

/// Spread over folders, of which no file system likes too large ones.
fn place(digest: Digest) -> Path {
    let name = digest.to_string();
    Path::from_iter(["sha256", &name[..2], &name])
}
