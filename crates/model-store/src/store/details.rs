//! Everything that a model of the store says about itself.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Layer, Manifest, Store, StoreError, StoredModel};

/// The longest text of one layer in bytes: a template, a system prompt, a licence.
pub(super) const MAX_TEXT_BYTES: u64 = 1024 * 1024;

/// A model with the texts of its layers.
#[derive(Clone, Debug)]
pub struct ModelDetails {
    pub model: StoredModel,
    pub manifest: Manifest,
    /// What its makers wrote beside the layers; an object, with Ollama's fields if it comes from there.
    pub config: Value,
    /// In the language of Ollama's templates (Go's `text/template`), not that of the weights' own.
    pub template: Option<String>,
    pub system: Option<String>,
    pub licenses: Vec<String>,
    pub parameters: Map<String, Value>,
    /// The conversation that every conversation begins with.
    pub messages: Vec<StoredMessage>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredMessage {
    pub role: String,
    pub content: String,
}

impl Store {
    /// Reads all about a model. Its layers are read within limits; one that is too long or unreadable is damage.
    pub fn details(&self, name: &str) -> Result<ModelDetails, StoreError> {
        let model = self.find(name)?;
        let manifest = self.manifest(&model.name)?;
        let name = model.name.to_string();
        let layers = Layers { store: self, name: &name, manifest: &manifest };
        Ok(ModelDetails {
            config: layers.json(&manifest.config)?.unwrap_or_default(),
            // Ollama's first models call it a prompt.
            template: match layers.text("template")? {
                None => layers.text("prompt")?,
                template => template,
            },
            system: layers.text("system")?,
            licenses: layers.texts("license")?,
            parameters: layers.typed("params")?.unwrap_or_default(),
            messages: layers.typed("messages")?.unwrap_or_default(),
            model,
            manifest: manifest.clone(),
        })
    }
}

/// The layers of one manifest, to be read by what they are to the model.
pub(super) struct Layers<'a> {
    pub(super) store: &'a Store,
    pub(super) name: &'a str,
    pub(super) manifest: &'a Manifest,
}

impl Layers<'_> {
    fn damaged(&self, detail: &str) -> StoreError {
        StoreError::DamagedManifest { name: self.name.to_owned(), detail: detail.to_owned() }
    }

    fn read(&self, layer: &Layer) -> Result<Vec<u8>, StoreError> {
        self.store.read_layer(self.name, layer, MAX_TEXT_BYTES)
    }

    fn text(&self, role: &str) -> Result<Option<String>, StoreError> {
        self.texts(role).map(|texts| texts.into_iter().next())
    }

    fn texts(&self, role: &str) -> Result<Vec<String>, StoreError> {
        let layers = self.manifest.layers.iter().filter(|layer| layer.role() == Some(role));
        layers
            .map(|layer| {
                String::from_utf8(self.read(layer)?).map_err(|_| self.damaged(&format!("its {role} is no valid UTF-8")))
            })
            .collect()
    }

    pub(super) fn typed<T: for<'de> Deserialize<'de>>(&self, role: &str) -> Result<Option<T>, StoreError> {
        let Some(layer) = self.manifest.layer(role) else { return Ok(None) };
        let bytes = self.read(layer)?;
        serde_json::from_slice(&bytes).map(Some).map_err(|error| self.damaged(&format!("its {role}: {error}")))
    }

    /// `None` when it is no JSON: plain OCI artifacts may have anything there.
    pub(super) fn json(&self, layer: &Layer) -> Result<Option<Value>, StoreError> {
        self.read(layer).map(|bytes| serde_json::from_slice(&bytes).ok())
    }
}
