//! Vectors by OpenAI's protocol.
//!
//! Source: <https://platform.openai.com/docs/api-reference/embeddings>.

use serde::{Deserialize, Serialize};
use stoa_model::completion::{CompletionError, Usage};
use stoa_model::embedding::{Embedded, EmbeddingRequest};

use crate::protocol::read_json;

#[derive(Serialize)]
pub(crate) struct WireEmbedding<'a> {
    model: &'a str,
    input: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    dimensions: Option<u32>,
    encoding_format: &'static str,
}

impl<'a> WireEmbedding<'a> {
    pub(crate) fn new(request: &'a EmbeddingRequest) -> Self {
        let EmbeddingRequest { model, inputs, dimensions, .. } = request;
        Self { model, input: inputs, dimensions: *dimensions, encoding_format: "float" }
    }
}

#[derive(Deserialize)]
struct WireVectors {
    data: Vec<WireVector>,
    #[serde(default)]
    usage: WireUsed,
}

#[derive(Deserialize)]
struct WireVector {
    index: Option<usize>,
    embedding: Vec<f32>,
}

#[derive(Default, Deserialize)]
struct WireUsed {
    #[serde(default)]
    prompt_tokens: u64,
}

pub(crate) fn read(body: &[u8], asked: usize) -> Result<Embedded, CompletionError> {
    let WireVectors { mut data, usage } = read_json(body)?;
    // They say which text each is of; some servers do not, and keep the order.
    if data.iter().all(|vector| vector.index.is_some()) {
        data.sort_by_key(|vector| vector.index);
    }
    let usage = Usage { prompt_tokens: usage.prompt_tokens, ..Usage::default() };
    Embedded::checked(data.into_iter().map(|vector| vector.embedding).collect(), usage, asked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_come_in_the_order_of_their_texts() {
        let body = br#"{"object":"list","data":[
            {"object":"embedding","index":1,"embedding":[3,4]},{"object":"embedding","index":0,"embedding":[1,2.5]}
        ],"model":"m","usage":{"prompt_tokens":7,"total_tokens":7}}"#;
        let read = read(body, 2).unwrap();
        assert_eq!((read.vectors, read.usage.prompt_tokens), (vec![vec![1.0, 2.5], vec![3.0, 4.0]], 7));
        assert!(super::read(body, 3).is_err());
        assert!(super::read(b"{}", 1).is_err());
    }
}
