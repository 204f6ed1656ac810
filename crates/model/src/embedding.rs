//! Texts as vectors, by whoever runs a model for them.

use std::pin::Pin;

use crate::completion::{CompletionError, Timers, Usage};

/// Which texts to turn into vectors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmbeddingRequest {
    /// The model's name as the upstream knows it (no slug).
    pub model: String,
    /// At least one, and none that is empty.
    pub inputs: Vec<String>,
    /// Shorter vectors than the model's own, where it can make them.
    pub dimensions: Option<u32>,
    /// Whose call this is. Sent to functions of this server alone.
    pub tenant: Option<crate::UserId>,
    /// How many functions have called one another until this call. Sent to functions of this server alone.
    pub depth: u8,
    pub timers: Timers,
}

/// One vector for each text, in their order.
#[derive(Clone, Debug, PartialEq)]
pub struct Embedded {
    pub vectors: Vec<Vec<f32>>,
    pub usage: Usage,
}

impl Embedded {
    /// What an upstream answered, if it is an answer to `asked` texts.
    pub fn checked(vectors: Vec<Vec<f32>>, usage: Usage, asked: usize) -> Result<Self, CompletionError> {
        let fault = |detail: String| Err(CompletionError::Protocol { detail });
        if vectors.len() != asked {
            return fault(format!("it made {} vectors of {asked} texts", vectors.len()));
        }
        let length = vectors.first().map_or(0, Vec::len);
        if length == 0 || vectors.iter().any(|vector| vector.len() != length) {
            return fault("its vectors are empty or of different lengths".to_owned());
        }
        if vectors.iter().flatten().any(|number| !number.is_finite()) {
            return fault("a number of its vectors is none".to_owned());
        }
        Ok(Self { vectors, usage })
    }
}

pub type EmbedFuture<'a> = Pin<Box<dyn Future<Output = Result<Embedded, CompletionError>> + Send + 'a>>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_has_a_vector_for_each_text_and_all_are_alike() {
        let checked = |vectors: Vec<Vec<f32>>, asked| Embedded::checked(vectors, Usage::default(), asked);
        assert!(checked(vec![vec![0.5, 1.0], vec![0.0, -1.0]], 2).is_ok());
        let bad =
            [(vec![vec![1.0]], 2), (vec![vec![1.0], vec![1.0, 2.0]], 2), (vec![vec![]], 1), (vec![vec![f32::NAN]], 1)];
        for (vectors, asked) in bad {
            assert!(checked(vectors.clone(), asked).is_err(), "{vectors:?}");
        }
    }
}
