//! Names and what they stand for: manifests are read, written and listed here.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::SystemTime;

use super::{Digest, MAX_LISTED, MAX_MANIFEST_BYTES, Manifest, ModelName, Store, StoreError, durable};

/// A name's manifest as it lies on disk.
pub(super) struct Tag {
    pub(super) manifest: Manifest,
    /// Byte by byte as its registry wrote it, since its digest is the model's.
    pub(super) text: Vec<u8>,
    pub(super) digest: Digest,
    pub(super) modified_at: SystemTime,
}

impl Store {
    /// The manifest of `name` and its very text, whose digest is the model's.
    pub fn manifest_text(&self, name: &ModelName) -> Result<(Manifest, Vec<u8>), StoreError> {
        let name = self.existing(name)?.ok_or_else(|| StoreError::NotFound { name: name.to_string() })?;
        self.tag(&name).map(|tag| (tag.manifest, tag.text))
    }

    /// Gives the model of `source` the name `destination`, too; a model that had that name loses it.
    pub fn copy(&self, source: &str, destination: &str) -> Result<(), StoreError> {
        let (source, destination): (ModelName, ModelName) = (source.parse()?, destination.parse()?);
        let _lock = self.lock()?;
        let found = self.existing(&source)?.ok_or_else(|| StoreError::NotFound { name: source.to_string() })?;
        let tag = self.tag(&found)?;
        let (_, replaced) = self.put_text(&destination, &tag.text, &tag.manifest)?;
        self.discard_unused(&replaced)
    }

    /// Writes a manifest as its registry wrote it. Answers the blobs that the name stood for before and no longer does.
    pub(crate) fn adopt(&self, name: &ModelName, text: &[u8], manifest: &Manifest) -> Result<Vec<Digest>, StoreError> {
        let _lock = self.lock()?;
        self.put_text(name, text, manifest).map(|(_, replaced)| replaced)
    }

    /// Writes a manifest and deletes what only the one before it used. The caller holds the lock.
    pub(super) fn put_manifest(&self, name: &ModelName, manifest: &Manifest) -> Result<ModelName, StoreError> {
        let text = serde_json::to_vec(manifest)
            .map_err(|error| StoreError::io("writing the manifest", &self.manifest_path(name))(error.into()))?;
        let (name, replaced) = self.put_text(name, &text, manifest)?;
        self.discard_unused(&replaced)?;
        Ok(name)
    }

    /// A name that differs only in its capitals is the same name. The caller holds the lock.
    fn put_text(
        &self,
        name: &ModelName,
        text: &[u8],
        manifest: &Manifest,
    ) -> Result<(ModelName, Vec<Digest>), StoreError> {
        let name = self.existing(name)?.unwrap_or_else(|| name.clone());
        let replaced = self.manifest(&name).ok();
        durable::write(&self.manifest_path(&name), text, &self.blobs())?;
        let replaced = replaced.iter().flat_map(Manifest::digests);
        let gone = replaced.filter(|digest| manifest.digests().all(|kept| kept != *digest)).cloned().collect();
        Ok((name, gone))
    }

    pub(super) fn manifest(&self, name: &ModelName) -> Result<Manifest, StoreError> {
        self.tag(name).map(|tag| tag.manifest)
    }

    pub(super) fn tag(&self, name: &ModelName) -> Result<Tag, StoreError> {
        let path = self.manifest_path(name);
        let damaged = |detail: String| StoreError::DamagedManifest { name: name.to_string(), detail };
        let text = durable::read_small(&path, MAX_MANIFEST_BYTES).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => StoreError::NotFound { name: name.to_string() },
            io::ErrorKind::FileTooLarge => damaged("it is too long".to_owned()),
            _ => StoreError::io("reading the manifest", &path)(error),
        })?;
        let manifest = serde_json::from_slice(&text).map_err(|error| damaged(error.to_string()))?;
        let modified_at = fs::metadata(&path)
            .and_then(|metadata| metadata.modified())
            .map_err(StoreError::io("reading the manifest", &path))?;
        Ok(Tag { manifest, digest: Digest::of(&text), text, modified_at })
    }

    /// The name as it is written on disk, when only its capitals differ.
    pub(super) fn existing(&self, wanted: &ModelName) -> Result<Option<ModelName>, StoreError> {
        if self.manifest_path(wanted).is_file() {
            return Ok(Some(wanted.clone()));
        }
        Ok(self.names()?.into_iter().find(|name| name.is_same(wanted)))
    }

    /// Every name with a manifest. Directory entries that are no names are passed over.
    pub(super) fn names(&self) -> Result<Vec<ModelName>, StoreError> {
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

    pub(super) fn manifest_path(&self, name: &ModelName) -> PathBuf {
        self.directory.join("manifests").join(name.relative_path())
    }
}
