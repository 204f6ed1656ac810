//! Models on disk, laid out as Ollama lays them out: manifests by name, blobs by content.
//!
//! `manifests/<host>/<namespace>/<model>/<tag>` is a JSON manifest that names blobs; `blobs/sha256-<hex>` holds them.
//! Everything appears whole or not at all: written beside its place, made durable, renamed. A lock on `lock` keeps a
//! removal in one process from taking a blob that an import in another has just found to be there already.

mod digest;
mod durable;
mod import;
mod manifest;
mod name;

use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::fs::FlockOperation;

use crate::gguf::{Gguf, GgufError};

pub use digest::{Digest, DigestError};
pub use import::Progress;
pub use manifest::{Layer, Manifest};
pub use name::{ModelName, NameError};

/// The longest manifest in bytes.
const MAX_MANIFEST_BYTES: u64 = 1024 * 1024;

/// How many models are listed at most.
const MAX_LISTED: usize = 10_000;

/// Files of imports that died are deleted when they are older than this.
const STALE: Duration = Duration::from_hours(1);

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
    #[error("`{path}` cannot be read as a model: {source}")]
    Gguf { path: PathBuf, source: GgufError },
    #[error("the disk that holds {directory} is full; nothing was kept of the import")]
    DiskFull { directory: PathBuf },
    #[error("{directory} cannot be written to")]
    ReadOnly { directory: PathBuf, source: io::Error },
    #[error("the manifest of `{name}` is damaged: {detail}")]
    DamagedManifest { name: String, detail: String },
    #[error("`{name}` is damaged: its blob {digest} is missing")]
    MissingBlob { name: String, digest: Digest },
    #[error("{what} failed at {path}")]
    Io { what: &'static str, path: PathBuf, source: io::Error },
}

impl StoreError {
    fn io(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
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
}

/// A directory of models. Calls block on the disk: use them off the async threads.
#[derive(Debug)]
pub struct Store {
    directory: PathBuf,
    /// What files say about themselves, by content, so that a header is read once.
    headers: Mutex<HashMap<Digest, Arc<Gguf>>>,
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
        let store = Self { directory, headers: Mutex::default(), known_damage: Mutex::default() };
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

    /// Removes the name, and every blob that no other name uses.
    pub fn remove(&self, name: &str) -> Result<(), StoreError> {
        let wanted: ModelName = name.parse()?;
        let _lock = self.lock()?;
        let name = self.existing(&wanted)?.ok_or_else(|| StoreError::NotFound { name: wanted.to_string() })?;
        let path = self.manifest_path(&name);
        // A damaged manifest can be removed, too; which blobs it used is then unknown, so all stay.
        let mut unused: HashSet<Digest> =
            self.manifest(&name).map(|manifest| manifest.digests().cloned().collect()).unwrap_or_default();
        fs::remove_file(&path).map_err(StoreError::io("removing the manifest", &path))?;
        remove_empty_parents(&path);
        for other in self.names()? {
            match self.manifest(&other) {
                Ok(manifest) => manifest.digests().for_each(|digest| {
                    unused.remove(digest);
                }),
                Err(StoreError::NotFound { .. }) => {}
                // What a damaged manifest uses is unknown, so nothing can be said to be unused.
                Err(_) => return Ok(()),
            }
        }
        for digest in unused {
            let blob = self.blob_path(&digest);
            match fs::remove_file(&blob) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(StoreError::io("removing a blob", &blob)(error));
                }
                _ => {}
            }
            self.headers.lock().unwrap_or_else(PoisonError::into_inner).remove(&digest);
        }
        durable::sync_directory(&self.blobs())
    }

    fn note_damage(&self, name: &ModelName, error: &StoreError) {
        let mut known = self.known_damage.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() < MAX_LISTED && known.insert((name.clone(), error.to_string())) {
            tracing::warn!(model = %name, error = error as &dyn std::error::Error, "a model in the store is damaged");
        }
    }

    fn load(&self, name: &ModelName) -> Result<StoredModel, StoreError> {
        let manifest = self.manifest(name)?;
        let layer = manifest.model().ok_or_else(|| StoreError::DamagedManifest {
            name: name.to_string(),
            detail: "it names no weights".to_owned(),
        })?;
        let path = self.blob_path(&layer.digest);
        let gguf = self.header(name, &layer.digest, &path)?;
        Ok(StoredModel { name: name.clone(), digest: layer.digest.clone(), size_bytes: layer.size, path, gguf })
    }

    fn header(&self, name: &ModelName, digest: &Digest, path: &Path) -> Result<Arc<Gguf>, StoreError> {
        let known = self.headers.lock().unwrap_or_else(PoisonError::into_inner).get(digest).cloned();
        if let Some(gguf) = known.filter(|_| path.exists()) {
            return Ok(gguf);
        }
        let file = File::open(path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => StoreError::MissingBlob { name: name.to_string(), digest: digest.clone() },
            _ => StoreError::io("opening a blob", path)(error),
        })?;
        let gguf = Gguf::read(file).map_err(|source| StoreError::Gguf { path: path.to_owned(), source })?;
        let gguf = Arc::new(gguf);
        self.headers.lock().unwrap_or_else(PoisonError::into_inner).insert(digest.clone(), Arc::clone(&gguf));
        Ok(gguf)
    }

    fn manifest(&self, name: &ModelName) -> Result<Manifest, StoreError> {
        let path = self.manifest_path(name);
        let damaged = |detail: String| StoreError::DamagedManifest { name: name.to_string(), detail };
        let bytes = durable::read_small(&path, MAX_MANIFEST_BYTES).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => StoreError::NotFound { name: name.to_string() },
            io::ErrorKind::FileTooLarge => damaged("it is too long".to_owned()),
            _ => StoreError::io("reading the manifest", &path)(error),
        })?;
        serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))
    }

    /// The name as it is written on disk, when only its capitals differ.
    fn existing(&self, wanted: &ModelName) -> Result<Option<ModelName>, StoreError> {
        if self.manifest_path(wanted).is_file() {
            return Ok(Some(wanted.clone()));
        }
        Ok(self.names()?.into_iter().find(|name| name.is_same(wanted)))
    }

    /// Every name with a manifest. Directory entries that are no names are passed over.
    fn names(&self) -> Result<Vec<ModelName>, StoreError> {
        let mut names = Vec::new();
        let mut pending = vec![(self.directory.join("manifests"), Vec::<String>::new())];
        while let Some((directory, parts)) = pending.pop() {
            let entries = match fs::read_dir(&directory) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                entries => entries.map_err(StoreError::io("listing", &directory))?,
            };
            for entry in entries {
                let entry = entry.map_err(StoreError::io("listing", &directory))?;
                let (Ok(part), Ok(kind)) = (entry.file_name().into_string(), entry.file_type()) else { continue };
                let mut parts = parts.clone();
                parts.push(part);
                if kind.is_dir() && parts.len() < 4 {
                    pending.push((entry.path(), parts));
                } else if kind.is_file()
                    && let [host, namespace, model, tag] = parts.as_slice()
                    && let Some(name) = ModelName::from_parts(host, namespace, model, tag)
                {
                    names.push(name);
                }
            }
            if names.len() > MAX_LISTED {
                names.truncate(MAX_LISTED);
                break;
            }
        }
        Ok(names)
    }

    fn blobs(&self) -> PathBuf {
        self.directory.join("blobs")
    }

    fn manifest_path(&self, name: &ModelName) -> PathBuf {
        self.directory.join("manifests").join(name.relative_path())
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
        rustix::fs::flock(&file, FlockOperation::LockExclusive)
            .map_err(|error| StoreError::io("locking", &path)(error.into()))?;
        Ok(file)
    }

    fn sweep(&self) {
        let Ok(entries) = fs::read_dir(self.blobs()) else { return };
        for entry in entries.flatten() {
            let stale = entry.file_name().to_str().is_some_and(|name| name.starts_with(durable::TEMPORARY))
                && entry
                    .metadata()
                    .and_then(|metadata| metadata.modified())
                    .is_ok_and(|modified| modified.elapsed().is_ok_and(|age| age > STALE));
            if stale {
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

#[cfg(test)]
mod tests;
