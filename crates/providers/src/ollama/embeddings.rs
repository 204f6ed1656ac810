//! Vectors by Ollama's protocol.

use serde::{Deserialize, Serialize};
use stoa_model::completion::{CompletionError, Usage};
use stoa_model::embedding::{Embedded, EmbeddingRequest};

use crate::protocol::read_json;

#[derive(Serialize)]
pub(super) struct WireEmbedding<'a> {
    model: &'a str,
    input: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    dimensions: Option<u32>,
    /// A text that is too long is an error, and not a vector of a part of it.
    truncate: bool,
}

impl<'a> WireEmbedding<'a> {
    pub(super) fn new(request: &'a EmbeddingRequest) -> Self {
        let EmbeddingRequest { model, inputs, dimensions, .. } = request;
        Self { model, input: inputs, dimensions: *dimensions, truncate: false }
    }
}

#[derive(Deserialize)]
struct WireVectors {
    embeddings: Vec<Vec<f32>>,
    #[serde(default)]
    prompt_eval_count: u64,
}

pub(super) fn read(body: &[u8], asked: usize) -> Result<Embedded, CompletionError> {
    let WireVectors { embeddings, prompt_eval_count } = read_json(body)?;
    Embedded::checked(embeddings, Usage { prompt_tokens: prompt_eval_count, ..Usage::default() }, asked)
}
