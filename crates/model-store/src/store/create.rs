//! New models made of what the store has: other models, uploaded files, and texts.

use std::fs::File;
use std::path::PathBuf;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::details::{Layers, MAX_TEXT_BYTES};
use super::{Digest, Layer, Manifest, ModelName, Store, StoreError, StoredMessage, StoredModel, manifest};
use crate::gguf::{Adapter, Gguf, GgufError, Projector};

/// What a new model is made of. What is not given is taken from the model it starts from.
#[derive(Clone, Debug, Default)]
pub struct NewModel {
    pub from: Option<ModelName>,
    /// GGUF files among the blobs: weights, their projector, adapters. They replace those of `from`.
    pub files: Vec<Digest>,
    pub adapters: Vec<Digest>,
    pub template: Option<String>,
    /// Empty takes the system prompt away.
    pub system: Option<String>,
    /// Added to those of `from`.
    pub licenses: Vec<String>,
    /// Each replaces the one of `from` with the same name.
    pub parameters: Map<String, Value>,
    /// Replace those of `from`, if there are any.
    pub messages: Vec<StoredMessage>,
}

impl NewModel {
    /// The same with other weights in the place of `old`.
    #[must_use]
    pub fn with_weights(mut self, old: &Digest, new: Digest) -> Self {
        self.files.retain(|file| file != old);
        self.files.push(new);
        self
    }
}

/// A file of weights among the blobs.
#[derive(Clone, Debug)]
pub struct Weights {
    pub digest: Digest,
    pub path: PathBuf,
    pub gguf: Gguf,
}

/// How far the making has come, in the order and the words of Ollama.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CreateEvent {
    ParsingGguf,
    UsingExistingLayer(Digest),
    CreatingNewLayer(Digest),
    WritingManifest,
    Success,
}

impl CreateEvent {
    pub fn status(&self) -> String {
        match self {
            Self::ParsingGguf => "parsing GGUF".to_owned(),
            Self::UsingExistingLayer(digest) => format!("using existing layer {digest}"),
            Self::CreatingNewLayer(digest) => format!("creating new layer {digest}"),
            Self::WritingManifest => "writing manifest".to_owned(),
            Self::Success => "success".to_owned(),
        }
    }
}

impl Store {
    /// Makes a model and gives it `name`; a model that had the name loses it. `progress` must not block: the store is
    /// locked meanwhile.
    pub fn create(
        &self,
        name: &ModelName,
        new: &NewModel,
        progress: &mut dyn FnMut(CreateEvent),
    ) -> Result<StoredModel, StoreError> {
        let _lock = self.lock()?;
        let mut making = Making { store: self, layers: Vec::new(), config: Value::Null, fresh: Vec::new(), progress };
        let made = making.put_together(new).and_then(|(manifest, config)| {
            making.text_blob(&config)?;
            (making.progress)(CreateEvent::WritingManifest);
            let name = self.put_manifest(name, &manifest)?;
            self.load(&name)
        });
        match &made {
            Ok(_) => progress(CreateEvent::Success),
            // Without a manifest nobody needs the texts.
            Err(_) => self.discard_unused(&making.fresh)?,
        }
        made
    }

    /// The weights that a new model is to have.
    pub fn weights_of(&self, new: &NewModel) -> Result<Weights, StoreError> {
        for digest in &new.files {
            match self.check_weights(digest, "model") {
                Ok(Some(gguf)) => return Ok(Weights { path: self.blob_path(digest), digest: digest.clone(), gguf }),
                Err(StoreError::UnusableBlob { ref source, .. }) if role_of(source).is_some() => {}
                Ok(None) => {}
                Err(error) => return Err(error),
            }
        }
        let from = new.from.as_ref().ok_or(StoreError::NoWeights)?;
        let model = self.find(&from.to_string())?;
        Ok(Weights { path: model.path, digest: model.digest, gguf: Gguf::clone(&model.gguf) })
    }

    /// Checks that llama.cpp may see a blob that is to be `role` of a model. `Ok(None)` for what is no model by itself.
    pub(crate) fn check_weights(&self, digest: &Digest, role: &str) -> Result<Option<Gguf>, StoreError> {
        let path = self.blob_path(digest);
        let file = File::open(&path).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => StoreError::NoSuchBlob { digest: digest.clone() },
            _ => StoreError::io("reading a blob", &path)(error),
        })?;
        let checked = match role {
            "projector" => Projector::read(file).map(|_| None),
            "adapter" => Adapter::read(file).map(|_| None),
            _ => Gguf::read(file).map(Some),
        };
        checked.map_err(|source| StoreError::UnusableBlob { digest: digest.clone(), source })
    }
}

/// A model in the making; the caller holds the lock.
struct Making<'a> {
    store: &'a Store,
    layers: Vec<Layer>,
    config: Value,
    /// Blobs that were not there before.
    fresh: Vec<Digest>,
    progress: &'a mut dyn FnMut(CreateEvent),
}

impl Making<'_> {
    fn put_together(&mut self, new: &NewModel) -> Result<(Manifest, Vec<u8>), StoreError> {
        let mut parameters = new.parameters.clone();
        if let Some(from) = &new.from {
            for (key, value) in self.start_from(from)? {
                parameters.entry(key).or_insert(value);
            }
        }
        self.take_files(&new.files, &new.adapters)?;
        if !self.layers.iter().any(|layer| layer.role() == Some("model")) {
            return Err(StoreError::NoWeights);
        }
        if let Some(template) = &new.template {
            self.layers.retain(|layer| layer.role() != Some("prompt"));
            self.replace("template", template.as_bytes())?;
        }
        if let Some(system) = &new.system {
            self.replace("system", system.as_bytes())?;
        }
        for license in &new.licenses {
            self.add("license", license.as_bytes())?;
        }
        if !parameters.is_empty() {
            let text = self.json("params", &parameters)?;
            self.replace("params", &text)?;
        }
        if !new.messages.is_empty() {
            let text = self.json("messages", &new.messages)?;
            self.replace("messages", &text)?;
        }
        let layers = std::mem::take(&mut self.layers);
        if let Some(config) = self.config.as_object_mut() {
            let digests: Vec<&Digest> = layers.iter().map(|layer| &layer.digest).collect();
            config.insert("rootfs".to_owned(), json!({ "type": "layers", "diff_ids": digests }));
        }
        let config = self.json("config", &self.config)?;
        Ok((Manifest::new(&config, layers), config))
    }

    /// Takes over the layers of a model; answers its parameters.
    fn start_from(&mut self, from: &ModelName) -> Result<Map<String, Value>, StoreError> {
        let name = self.store.existing(from)?.ok_or_else(|| StoreError::NotFound { name: from.to_string() })?;
        let manifest = self.store.manifest(&name)?;
        let text = name.to_string();
        let layers = Layers { store: self.store, name: &text, manifest: &manifest };
        self.config = layers.json(&manifest.config)?.filter(Value::is_object).unwrap_or_else(|| json!({}));
        let parameters = layers.typed("params")?.unwrap_or_default();
        for layer in &manifest.layers {
            if !self.store.has_blob(&layer.digest) {
                return Err(StoreError::MissingBlob { name: text, digest: layer.digest.clone() });
            }
            (self.progress)(CreateEvent::UsingExistingLayer(layer.digest.clone()));
        }
        self.layers = manifest.layers;
        Ok(parameters)
    }

    fn take_files(&mut self, files: &[Digest], adapters: &[Digest]) -> Result<(), StoreError> {
        let mut taken = Vec::new();
        for digest in files {
            (self.progress)(CreateEvent::ParsingGguf);
            let role = match self.store.check_weights(digest, "model") {
                Ok(gguf) => {
                    if let Some(gguf) = gguf {
                        self.config = manifest::config(digest, &gguf);
                    }
                    "model"
                }
                Err(StoreError::UnusableBlob { source, digest }) => {
                    let role = role_of(&source).ok_or(StoreError::UnusableBlob { source, digest: digest.clone() })?;
                    self.store.check_weights(&digest, role)?;
                    role
                }
                Err(error) => return Err(error),
            };
            taken.push((role, digest));
        }
        for digest in adapters {
            (self.progress)(CreateEvent::ParsingGguf);
            self.store.check_weights(digest, "adapter")?;
            taken.push(("adapter", digest));
        }
        if taken.iter().filter(|(role, _)| *role == "adapter").count() > 1 {
            return Err(StoreError::SeveralAdapters);
        }
        for (role, _) in &taken {
            self.layers.retain(|layer| layer.role() != Some(role));
        }
        for (role, digest) in taken {
            let size = self.store.blob_size(digest).ok_or_else(|| StoreError::NoSuchBlob { digest: digest.clone() })?;
            (self.progress)(CreateEvent::UsingExistingLayer(digest.clone()));
            self.layers.push(Layer::new(role, digest.clone(), size));
        }
        Ok(())
    }

    /// Puts a text in the place of all with that role; an empty one only takes them away.
    fn replace(&mut self, role: &str, text: &[u8]) -> Result<(), StoreError> {
        self.layers.retain(|layer| layer.role() != Some(role));
        if text.is_empty() { Ok(()) } else { self.add(role, text) }
    }

    fn add(&mut self, role: &str, text: &[u8]) -> Result<(), StoreError> {
        let layer = Layer::new(role, self.text_blob(text)?, text.len() as u64);
        if !self.layers.contains(&layer) {
            self.layers.push(layer);
        }
        Ok(())
    }

    fn text_blob(&mut self, text: &[u8]) -> Result<Digest, StoreError> {
        if text.len() as u64 > MAX_TEXT_BYTES {
            return Err(StoreError::TooLong { limit_bytes: MAX_TEXT_BYTES });
        }
        let digest = Digest::of(text);
        if self.store.has_blob(&digest) {
            (self.progress)(CreateEvent::UsingExistingLayer(digest.clone()));
        } else {
            self.fresh.push(digest.clone());
            (self.progress)(CreateEvent::CreatingNewLayer(digest.clone()));
        }
        self.store.put_blob(text)
    }

    fn json(&self, what: &'static str, value: &impl Serialize) -> Result<Vec<u8>, StoreError> {
        serde_json::to_vec(value).map_err(|error| StoreError::io(what, &self.store.directory)(error.into()))
    }
}

/// What a file that is no model by itself is to one.
fn role_of(why: &GgufError) -> Option<&'static str> {
    match why {
        GgufError::NotAModel { kind } if kind == "adapter" => Some("adapter"),
        GgufError::NotAModel { kind } if kind == "mmproj" || kind.contains("projector") => Some("projector"),
        // A projector without a type of its own is missed its vocabulary.
        GgufError::Missing { key } if key == "tokenizer.ggml.tokens" => Some("projector"),
        _ => None,
    }
}
