//! Models on disk, laid out as Ollama lays them out: manifests by name, blobs by content.
//!
//! `manifests/<host>/<namespace>/<model>/<tag>` is a JSON manifest that names blobs; `blobs/sha256-<hex>` holds them.
//! Everything appears whole or not at all: written beside its place, made durable, renamed.
//!
//! Several processes may use one store. Whoever changes what names stand for, or which blobs are there, holds the lock on
//! `lock` meanwhile; blobs that no name stands for yet are kept by [`Claim`]s.

mod blob;
mod claim;
mod collect;
mod create;
mod details;
mod digest;
mod durable;
mod error;
mod import;
mod manifest;
mod name;
pub(crate) mod partial;
mod tag;

use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use crate::gguf::{Adapter, Gguf, GgufError, Projector};

pub use blob::{BlobUpload, Uploaded};
pub(crate) use blob::{blocking, blocking_among};
pub use claim::Claim;
pub use create::{CreateEvent, NewModel, Weights};
pub use details::{ModelDetails, StoredMessage};
pub use digest::{Digest, DigestError};
pub use error::StoreError;
pub use import::Progress;
pub(crate) use manifest::MANIFEST_TYPE;
pub use manifest::{Layer, Manifest};
pub use name::{ModelName, NameError};

/// The longest manifest in bytes.
pub(crate) const MAX_MANIFEST_BYTES: u64 = 1024 * 1024;

/// How many models are listed at most.
const MAX_LISTED: usize = 10_000;

/// A model as it lies in the store.
#[derive(Clone, Debug)]
pub struct StoredModel {
    pub name: ModelName,
    /// Of the model's weights.
    pub digest: Digest,
    pub size_bytes: u64,
    /// Where the weights lie.
    pub path: PathBuf,
    pub gguf: Arc<Gguf>,
    /// Its eye, if it has one that can be used.
    pub projector: Option<StoredProjector>,
    /// What changes its weights, if anything does.
    pub adapter: Option<StoredAdapter>,
    /// Of the manifest, as its registry wrote it: what Ollama calls the digest of the model.
    pub manifest_digest: Digest,
    /// Of all blobs that belong to it.
    pub total_bytes: u64,
    pub modified_at: SystemTime,
}

impl StoredModel {
    /// What two names of the same model have in common.
    pub fn content(&self) -> ModelContent {
        ModelContent {
            weights: self.digest.clone(),
            projector: self.projector.as_ref().map(|projector| projector.digest.clone()),
            adapter: self.adapter.as_ref().map(|adapter| adapter.digest.clone()),
        }
    }
}

/// The files that a model computes with.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ModelContent {
    pub weights: Digest,
    projector: Option<Digest>,
    adapter: Option<Digest>,
}

/// The eye of a model: a file of its own.
#[derive(Clone, Debug)]
pub struct StoredProjector {
    pub digest: Digest,
    pub size_bytes: u64,
    pub path: PathBuf,
    pub header: Arc<Projector>,
}

/// What changes the weights of a model: a file of its own.
#[derive(Clone, Debug)]
pub struct StoredAdapter {
    pub digest: Digest,
    pub size_bytes: u64,
    pub path: PathBuf,
    pub header: Arc<Adapter>,
}

type Headers<T> = Mutex<HashMap<Digest, Arc<T>>>;

/// A directory of models. Calls block on the disk: use them off the async threads.
#[derive(Debug)]
pub struct Store {
    directory: PathBuf,
    /// What files say about themselves, by content, so that a header is read once.
    headers: Headers<Gguf>,
    eyes: Headers<Projector>,
    adapters: Headers<Adapter>,
    /// Damage that has been logged: the list is read every few seconds, and says everything once.
    known_damage: Mutex<HashSet<(ModelName, String)>>,
}

impl Store {
    /// Opens the store in `directory`, and makes it when it is not there. What dead imports left behind is deleted.
    pub fn open(directory: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let directory = directory.into();
        for part in ["blobs", "manifests"] {
            let path = directory.join(part);
            fs::create_dir_all(&path).map_err(StoreError::io("making the directory", &path))?;
        }
        let store = Self {
            directory,
            headers: Mutex::default(),
            eyes: Mutex::default(),
            adapters: Mutex::default(),
            known_damage: Mutex::default(),
        };
        store.sweep();
        Ok(store)
    }

    /// Where the blob of `digest` lies, or would lie. There is no other way to a blob.
    pub fn blob_path(&self, digest: &Digest) -> PathBuf {
        self.blobs().join(digest.file_name())
    }

    /// All models whose manifest and header can be read, by name. A damaged one is logged and left out, so that it
    /// cannot hide the others.
    pub fn list(&self) -> Result<Vec<StoredModel>, StoreError> {
        let mut models = Vec::new();
        for name in self.names()? {
            match self.load(&name) {
                Ok(model) => models.push(model),
                Err(StoreError::NotFound { .. }) => {}
                Err(error) => self.note_damage(&name, &error),
            }
        }
        models.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(models)
    }

    /// Finds a model by its name, which is the same in capitals and small letters.
    pub fn find(&self, name: &str) -> Result<StoredModel, StoreError> {
        let wanted: ModelName = name.parse()?;
        let name = self.existing(&wanted)?.ok_or_else(|| StoreError::NotFound { name: wanted.to_string() })?;
        self.load(&name)
    }

    fn note_damage(&self, name: &ModelName, error: &StoreError) {
        let mut known = self.known_damage.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() < MAX_LISTED && known.insert((name.clone(), error.to_string())) {
            tracing::warn!(model = %name, error = error as &dyn std::error::Error, "a model in the store is damaged");
        }
    }

    fn load(&self, name: &ModelName) -> Result<StoredModel, StoreError> {
        let tag = self.tag(name)?;
        let layer = tag.manifest.model().ok_or_else(|| StoreError::DamagedManifest {
            name: name.to_string(),
            detail: "it names no weights".to_owned(),
        })?;
        let path = self.blob_path(&layer.digest);
        let gguf = header(&self.headers, name, &layer.digest, &path, Gguf::read)?;
        Ok(StoredModel {
            name: name.clone(),
            digest: layer.digest.clone(),
            size_bytes: layer.size,
            path,
            gguf,
            projector: tag.manifest.layer("projector").and_then(|layer| self.projector(name, layer)),
            adapter: self.adapter(name, &tag.manifest)?,
            manifest_digest: tag.digest,
            total_bytes: tag.manifest.total_bytes(),
            modified_at: tag.modified_at,
        })
    }

    /// One that cannot be used makes a model blind, not useless: it is logged and left out.
    fn projector(&self, name: &ModelName, layer: &Layer) -> Option<StoredProjector> {
        let path = self.blob_path(&layer.digest);
        let header = header(&self.eyes, name, &layer.digest, &path, Projector::read);
        let header = header.inspect_err(|error| self.note_damage(name, error)).ok()?;
        Some(StoredProjector { digest: layer.digest.clone(), size_bytes: layer.size, path, header })
    }

    /// Without its adapter it would be another model, so one that cannot be used makes it useless.
    fn adapter(&self, name: &ModelName, manifest: &Manifest) -> Result<Option<StoredAdapter>, StoreError> {
        let mut layers = manifest.layers.iter().filter(|layer| layer.role() == Some("adapter"));
        let Some(layer) = layers.next() else { return Ok(None) };
        if layers.next().is_some() {
            return Err(StoreError::SeveralAdapters);
        }
        let path = self.blob_path(&layer.digest);
        let header = header(&self.adapters, name, &layer.digest, &path, Adapter::read)?;
        Ok(Some(StoredAdapter { digest: layer.digest.clone(), size_bytes: layer.size, path, header }))
    }

    fn blobs(&self) -> PathBuf {
        self.directory.join("blobs")
    }

    /// Waits for, and holds, the right to change which blobs are in use.
    fn lock(&self) -> Result<File, StoreError> {
        let path = self.directory.join("lock");
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(StoreError::io("opening the lock", &path))?;
        file.lock().map_err(StoreError::io("locking", &path))?;
        Ok(file)
    }
}

/// What a blob says of itself, read once.
fn header<T>(
    known: &Headers<T>,
    name: &ModelName,
    digest: &Digest,
    path: &Path,
    read: fn(File) -> Result<T, GgufError>,
) -> Result<Arc<T>, StoreError> {
    let header = known.lock().unwrap_or_else(PoisonError::into_inner).get(digest).cloned();
    if let Some(header) = header.filter(|_| path.exists()) {
        return Ok(header);
    }
    let file = File::open(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => StoreError::MissingBlob { name: name.to_string(), digest: digest.clone() },
        _ => StoreError::io("opening a blob", path)(error),
    })?;
    let header = read(file).map_err(|source| StoreError::Gguf { path: path.to_owned(), source })?;
    let header = Arc::new(header);
    known.lock().unwrap_or_else(PoisonError::into_inner).insert(digest.clone(), Arc::clone(&header));
    Ok(header)
}

#[cfg(test)]
mod tests;
