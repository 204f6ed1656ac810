//! What a name stands for: the blobs of a model, in the format of Docker's image manifests as Ollama uses it.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::digest::Digest;
use crate::gguf::Gguf;

const MANIFEST_TYPE: &str = "application/vnd.docker.distribution.manifest.v2+json";
const CONFIG_TYPE: &str = "application/vnd.docker.container.image.v1+json";
const MODEL_TYPE: &str = "application/vnd.ollama.image.model";

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

impl Manifest {
    /// The manifest of a model that is one file of weights, and the blob of its configuration.
    pub(super) fn of(weights: Digest, size: u64, gguf: &Gguf) -> (Self, Vec<u8>) {
        let config = config(&weights, gguf).to_string().into_bytes();
        let manifest = Self {
            schema_version: 2,
            media_type: MANIFEST_TYPE.to_owned(),
            config: Layer {
                media_type: CONFIG_TYPE.to_owned(),
                digest: Digest::of(&config),
                size: config.len() as u64,
            },
            layers: vec![Layer { media_type: MODEL_TYPE.to_owned(), digest: weights, size }],
        };
        (manifest, config)
    }

    /// The layer that holds the weights.
    pub fn model(&self) -> Option<&Layer> {
        self.layers.iter().find(|layer| layer.media_type == MODEL_TYPE)
    }

    pub(super) fn digests(&self) -> impl Iterator<Item = &Digest> {
        std::iter::once(&self.config).chain(&self.layers).map(|layer| &layer.digest)
    }
}

fn config(weights: &Digest, gguf: &Gguf) -> Value {
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
