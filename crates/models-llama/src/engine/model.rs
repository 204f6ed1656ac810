//! What a model says of itself that decides how it is run.

use llama_cpp_2::model::LlamaModel;

/// Bytes of one number of keys and values: 16 bits.
const NUMBER_BYTES: u64 = 2;

/// What becomes of the vectors of a text's tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pooling {
    Mean,
    First,
    Last,
    /// The model's head makes a score of them: it ranks texts, and gives no vectors.
    Rank,
}

/// Architectures for which llama.cpp makes probabilities of what the head says of "yes" and "no".
const TELL_PROBABILITIES: &[&str] = &["qwen3", "qwen3vl"];

#[derive(Clone, Copy, Debug)]
pub(super) struct Traits {
    /// Models for embeddings alone do not.
    pub(super) writes: bool,
    pub(super) pooling: Pooling,
    /// Its scores are from 0 to 1 as they are.
    tells_probabilities: bool,
    /// Numbers of an embedding.
    pub(super) dimensions: u32,
}

impl Traits {
    pub(super) fn of(model: &LlamaModel) -> Self {
        let causal = meta(model, "attention.causal").as_deref() != Some("false");
        // llama.cpp's numbers: 0 none, 1 mean, 2 first (CLS), 3 last, 4 rank. A model that says nothing was made to
        // write, and the mean is the best that is known of those.
        let pooling = match meta(model, "pooling_type").as_deref() {
            Some("2") => Pooling::First,
            Some("3") => Pooling::Last,
            Some("4") => Pooling::Rank,
            _ => Pooling::Mean,
        };
        let architecture = model.meta_val_str("general.architecture").unwrap_or_default();
        Self {
            writes: causal,
            pooling,
            tells_probabilities: TELL_PROBABILITIES.contains(&&*architecture),
            dimensions: u32::try_from(model.n_embd_out()).unwrap_or(0),
        }
    }

    /// A score as a number from 0 to 1: the logistic function of what most heads tell.
    #[expect(clippy::cast_possible_truncation, reason = "a number from 0 to 1 that came with 32 bits")]
    pub(super) fn relevance(self, score: f64) -> f32 {
        let relevance = if self.tells_probabilities { score } else { 1.0 / (1.0 + (-score).exp()) };
        relevance.clamp(0.0, 1.0) as f32
    }
}

/// Bytes that one token of a sequence takes in the context: keys and values of all layers.
pub(super) fn context_bytes_per_token(model: &LlamaModel) -> u64 {
    if model.is_recurrent() {
        // Its state does not grow.
        return 0;
    }
    let heads = model.n_head().max(1);
    let own = u64::try_from(model.n_embd()).unwrap_or(0) / u64::from(heads);
    let length = |key| meta(model, key).and_then(|length| length.parse().ok()).unwrap_or(own);
    let numbers = length("attention.key_length") + length("attention.value_length");
    u64::from(model.n_layer()) * u64::from(model.n_head_kv()) * numbers * NUMBER_BYTES
}

fn meta(model: &LlamaModel, key: &str) -> Option<String> {
    let architecture = model.meta_val_str("general.architecture").ok()?;
    model.meta_val_str(&format!("{architecture}.{key}")).ok()
}
