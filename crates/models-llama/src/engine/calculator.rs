//! The context in which whole texts are computed: to a vector, or to the one number of a model that ranks.

use std::num::NonZeroU32;

use llama_cpp_2::context::LlamaContext;
use llama_cpp_2::context::params::LlamaPoolingType;
use llama_cpp_2::llama_batch::LlamaBatch;
use llama_cpp_2::token::LlamaToken;
use stoa_models::protocol::Refusal;

use super::model::{Pooling, Traits};
use super::prepare::PreparedText;
use super::{Engine, context};

/// Tokens computed at once by a model that also writes: a step of those who wait for their next token beside it.
const CALL_TOKENS: u32 = 64;

/// A text on its way to a vector or a score.
pub(super) struct Text {
    pub(super) tokens: Vec<LlamaToken>,
    computed: usize,
    /// The sum of the vectors of its tokens, or the one that counts; what the head made of them in a model that ranks.
    pub(super) values: Vec<f64>,
    pub(super) truncated: bool,
}

impl From<PreparedText> for Text {
    fn from(text: PreparedText) -> Self {
        Self { tokens: text.tokens, truncated: text.truncated, computed: 0, values: Vec::new() }
    }
}

impl Text {
    pub(super) const fn is_computed(&self) -> bool {
        self.computed >= self.tokens.len()
    }
}

pub(super) struct Calculator<'engine> {
    batch: LlamaBatch<'static>,
    context: LlamaContext<'engine>,
    pooling: Pooling,
    call: usize,
}

impl<'engine> Calculator<'engine> {
    pub(super) fn new(engine: &'engine Engine, traits: Traits, window: u32, threads: u32) -> Result<Self, Refusal> {
        // A model whose tokens see those behind them must see the whole text at once.
        let call = if traits.writes { CALL_TOKENS.min(window) } else { window };
        let pooling = match traits.pooling {
            Pooling::Rank => LlamaPoolingType::Rank,
            // The vectors of tokens are put together here, so that a long text can be computed in several calls.
            Pooling::Mean | Pooling::First | Pooling::Last => LlamaPoolingType::None,
        };
        let parameters = context(threads)
            .with_n_ctx(NonZeroU32::new(window))
            .with_n_batch(call)
            .with_n_ubatch(call)
            .with_n_seq_max(1)
            .with_embeddings(true)
            .with_pooling_type(pooling);
        let (model, backend) = engine.parts();
        let mut context = model
            .new_context(backend, parameters)
            .map_err(|error| Refusal::Engine { detail: format!("no context for whole texts: {error}") })?;
        if let Some(adapter) = &engine.adapter {
            adapter.apply_to_texts(&mut context)?;
        }
        let call = usize::try_from(call).unwrap_or(1).max(1);
        Ok(Self { batch: LlamaBatch::new(call, 1), context, pooling: traits.pooling, call })
    }

    /// Computes the next tokens of `text`.
    pub(super) fn compute(&mut self, text: &mut Text) -> Result<(), Refusal> {
        let engine = |detail: String| Refusal::Engine { detail };
        if text.computed == 0 {
            self.context.clear_kv_cache_seq(None, None, None).map_err(|error| engine(error.to_string()))?;
        }
        let end = text.tokens.len().min(text.computed + self.call);
        let counts = |position: usize| match self.pooling {
            Pooling::Mean | Pooling::Rank => true,
            Pooling::First => position == 0,
            Pooling::Last => position + 1 == text.tokens.len(),
        };
        self.batch.clear();
        for (position, token) in text.tokens.iter().enumerate().take(end).skip(text.computed) {
            let place = i32::try_from(position).map_err(|error| engine(error.to_string()))?;
            self.batch.add(*token, place, &[0], counts(position)).map_err(|error| engine(error.to_string()))?;
        }
        self.context.decode(&mut self.batch).map_err(|error| engine(error.to_string()))?;
        if self.pooling == Pooling::Rank {
            // Of a text computed in several calls, what the head makes of the last one counts: it sees the others.
            let head = self.context.embeddings_seq_ith(0).map_err(|error| engine(error.to_string()))?;
            text.values = head.iter().copied().map(f64::from).collect();
            text.computed = end;
            return Ok(());
        }
        for (place, position) in (0_i32..).zip(text.computed..end) {
            if counts(position) {
                let vector = self.context.embeddings_ith(place).map_err(|error| engine(error.to_string()))?;
                text.values.resize(vector.len(), 0.0);
                for (sum, value) in text.values.iter_mut().zip(vector) {
                    *sum += f64::from(*value);
                }
            }
        }
        text.computed = end;
        Ok(())
    }
}
