//! What a name stands for: the blobs of a model, in the format of Docker's image manifests as Ollama uses it.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::digest::Digest;
use crate::gguf::Gguf;

pub(crate) const MANIFEST_TYPE: &str = "application/vnd.docker.distribution.manifest.v2+json";
const CONFIG_TYPE: &str = "application/vnd.docker.container.image.v1+json";

/// What the types of a model's layers begin with; their role follows.
const LAYER_TYPE: &str = "application/vnd.ollama.image.";
/// Weights as Docker's own registry of models has them.
const DOCKER_WEIGHTS_TYPE: &str = "application/vnd.docker.ai.gguf.v3";

/// Fields that nothing here uses are kept out, so manifests of others are read but never rewritten.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    pub schema_version: u32,
    #[serde(default)]
    pub media_type: String,
    pub config: Layer,
    #[serde(default)]
    pub layers: Vec<Layer>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Layer {
    pub media_type: String,
    pub digest: Digest,
    pub size: u64,
}

impl Layer {
    pub(super) fn new(role: &str, digest: Digest, size: u64) -> Self {
        Self { media_type: format!("{LAYER_TYPE}{role}"), digest, size }
    }

    /// What the layer is to the model: `model`, `projector`, `adapter`, `template`, `system`, `params`, `messages`,
    /// `license` or whatever else its makers call it. `None` when it is of a kind that is not known here.
    pub fn role(&self) -> Option<&str> {
        if self.media_type == DOCKER_WEIGHTS_TYPE {
            return Some("model");
        }
        self.media_type.strip_prefix(LAYER_TYPE)
    }
}

impl Manifest {
    pub(super) fn new(config: &[u8], layers: Vec<Layer>) -> Self {
        let config =
            Layer { media_type: CONFIG_TYPE.to_owned(), digest: Digest::of(config), size: config.len() as u64 };
        Self { schema_version: 2, media_type: MANIFEST_TYPE.to_owned(), config, layers }
    }

    /// The manifest of a model that is a file of weights, with its projector if it has one; and the blob of its
    /// configuration.
    pub(super) fn of(weights: Layer, projector: Option<Layer>, gguf: &Gguf) -> (Self, Vec<u8>) {
        let config = config(&weights.digest, gguf).to_string().into_bytes();
        let manifest = Self::new(&config, std::iter::once(weights).chain(projector).collect());
        (manifest, config)
    }

    /// The layer that holds the weights.
    pub fn model(&self) -> Option<&Layer> {
        self.layer("model")
    }

    /// The first layer with that role.
    pub fn layer(&self, role: &str) -> Option<&Layer> {
        self.layers.iter().find(|layer| layer.role() == Some(role))
    }

    /// All blobs of the model, its configuration last.
    pub fn blobs(&self) -> impl Iterator<Item = &Layer> {
        self.layers.iter().chain(std::iter::once(&self.config))
    }

    pub fn total_bytes(&self) -> u64 {
        self.blobs().fold(0, |total, layer| total.saturating_add(layer.size))
    }

    pub(super) fn digests(&self) -> impl Iterator<Item = &Digest> {
        self.blobs().map(|layer| &layer.digest)
    }
}

/// What Ollama keeps beside the layers: how a model is listed.
pub(super) fn config(weights: &Digest, gguf: &Gguf) -> Value {
    json!({
        "model_format": "gguf",
        "model_family": gguf.architecture,
        "model_families": [gguf.architecture],
        "model_type": gguf.size_label,
        "file_type": gguf.quantization,
        "context_length": gguf.context_length,
        "embedding_length": gguf.embedding_length,
        "architecture": "amd64",
        "os": "linux",
        "rootfs": { "type": "layers", "diff_ids": [weights] },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_that_points_out_of_the_store_is_not_read() {
        for digest in ["sha256:../../../etc/passwd", "/etc/passwd", "sha256-\n"] {
            let text = json!({
                "schemaVersion": 2,
                "mediaType": MANIFEST_TYPE,
                "config": { "mediaType": CONFIG_TYPE, "digest": digest, "size": 1 },
                "layers": [],
            });
            assert!(serde_json::from_value::<Manifest>(text).is_err(), "{digest}");
        }
    }
}
