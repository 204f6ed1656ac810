//! Vectors by Gemini's protocol, which does not tell what they cost.
//!
//! Source: <https://ai.google.dev/api/embeddings>.

use serde::{Deserialize, Serialize};
use stoa_model::completion::{CompletionError, Usage};
use stoa_model::embedding::{Embedded, EmbeddingRequest};

use crate::protocol::read_json;

#[derive(Serialize)]
pub(super) struct WireEmbeddings<'a> {
    requests: Vec<WireEmbedding<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WireEmbedding<'a> {
    model: &'a str,
    content: WireContent<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_dimensionality: Option<u32>,
}

#[derive(Serialize)]
struct WireContent<'a> {
    parts: [WireText<'a>; 1],
}

#[derive(Serialize)]
struct WireText<'a> {
    text: &'a str,
}

impl<'a> WireEmbeddings<'a> {
    /// `place` is the model with its kind: `models/name`.
    pub(super) fn new(place: &'a str, request: &'a EmbeddingRequest) -> Self {
        let one = |text| WireEmbedding {
            model: place,
            content: WireContent { parts: [WireText { text }] },
            output_dimensionality: request.dimensions,
        };
        Self { requests: request.inputs.iter().map(|text| one(text.as_str())).collect() }
    }
}

#[derive(Deserialize)]
struct WireVectors {
    embeddings: Vec<WireVector>,
}

#[derive(Deserialize)]
struct WireVector {
    values: Vec<f32>,
}

pub(super) fn read(body: &[u8], asked: usize) -> Result<Embedded, CompletionError> {
    let WireVectors { embeddings } = read_json(body)?;
    Embedded::checked(embeddings.into_iter().map(|vector| vector.values).collect(), Usage::default(), asked)
}
