//! Texts as vectors. They have a context of their own, made when the first is asked for.

use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::time::Instant;

use llama_cpp_2::context::LlamaContext;
use llama_cpp_2::context::params::LlamaPoolingType;
use llama_cpp_2::llama_batch::LlamaBatch;
use llama_cpp_2::token::LlamaToken;
use stoa_model::completion::Usage;
use stoa_models::protocol::{Outcome, Refusal, Report};

use super::model::{Pooling, Traits};
use super::prepare::PreparedText;
use super::{Embed, Engine, context};
use crate::link::Vitals;

/// Tokens computed at once by a model that also writes: a step of those who wait for their next token beside it.
const CALL_TOKENS: u32 = 64;

/// The texts of one command that are not vectors yet.
struct Batch {
    sequence: u64,
    texts: VecDeque<PreparedText>,
    dimensions: Option<u32>,
    done: u64,
    prompt_tokens: u64,
    submitted: Instant,
}

/// A text on its way to a vector.
struct Text {
    tokens: Vec<LlamaToken>,
    computed: usize,
    /// The sum of the vectors of its tokens, or the one that counts.
    sum: Vec<f64>,
    truncated: bool,
}

impl From<PreparedText> for Text {
    fn from(text: PreparedText) -> Self {
        Self { tokens: text.tokens, truncated: text.truncated, computed: 0, sum: Vec::new() }
    }
}

struct Calculator<'engine> {
    batch: LlamaBatch<'static>,
    context: LlamaContext<'engine>,
    call: usize,
}

pub(crate) struct Embedder<'engine> {
    engine: &'engine Engine,
    traits: Traits,
    window: u32,
    threads: u32,
    calculator: Option<Calculator<'engine>>,
    waiting: VecDeque<Batch>,
    text: Option<Text>,
}

impl<'engine> Embedder<'engine> {
    pub(crate) fn new(engine: &'engine Engine, window: u32, threads: u32) -> Self {
        Self {
            engine,
            traits: Traits::of(&engine.model),
            window,
            threads,
            calculator: None,
            waiting: VecDeque::new(),
            text: None,
        }
    }

    pub(crate) fn running(&self) -> usize {
        self.waiting.len()
    }

    pub(crate) fn begin(&mut self, embed: &Embed, texts: Vec<PreparedText>) {
        self.waiting.push_back(Batch {
            sequence: embed.sequence,
            texts: texts.into(),
            dimensions: embed.dimensions,
            done: 0,
            prompt_tokens: 0,
            submitted: embed.submitted,
        });
    }

    /// Ends a batch there and then. Whether it was waiting.
    pub(crate) fn cancel(&mut self, sequence: u64, reports: &mut Vec<Report>) -> bool {
        let found = self.waiting.iter().position(|batch| batch.sequence == sequence);
        let Some(batch) = found.and_then(|index| self.waiting.remove(index)) else { return false };
        if found == Some(0) {
            self.text = None;
        }
        reports.push(batch.finished(Outcome::Cancelled));
        true
    }

    /// Computes one call's worth of the text whose turn it is.
    pub(crate) fn step(&mut self, vitals: &Vitals, reports: &mut Vec<Report>) {
        let Some(batch) = self.waiting.front_mut() else { return };
        if self.text.is_none() {
            self.text = batch.texts.pop_front().map(Text::from);
        }
        let Some(text) = &mut self.text else {
            reports.push(batch.finished(Outcome::Stop));
            self.waiting.pop_front();
            return;
        };
        let pooling = self.traits.pooling.unwrap_or(Pooling::Mean);
        let calculator = match &mut self.calculator {
            Some(calculator) => Ok(calculator),
            none => calculator(self.engine, self.traits, self.window, self.threads).map(|made| none.insert(made)),
        };
        let computed = calculator.and_then(|calculator| calculator.compute(text, pooling));
        vitals.step();
        let vector = match computed {
            Ok(()) if text.computed < text.tokens.len() => return,
            Ok(()) => unit(&text.sum, batch.dimensions).ok_or(Refusal::NotFinite { index: batch.done }),
            Err(refusal) => Err(refusal),
        };
        match vector {
            Ok(values) => {
                batch.done += 1;
                batch.prompt_tokens += text.tokens.len() as u64;
                reports.push(Report::Vector { sequence: batch.sequence, values, truncated: text.truncated });
            }
            Err(refusal) => {
                reports.push(Report::Refused { sequence: batch.sequence, refusal });
                self.waiting.pop_front();
            }
        }
        self.text = None;
    }
}

impl Batch {
    fn finished(&self, outcome: Outcome) -> Report {
        Report::Finished {
            sequence: self.sequence,
            outcome,
            usage: Usage { prompt_tokens: self.prompt_tokens, ..Usage::default() },
            prompt_us: u64::try_from(self.submitted.elapsed().as_micros()).unwrap_or(u64::MAX),
            answer_us: 0,
        }
    }
}

fn calculator(engine: &Engine, traits: Traits, window: u32, threads: u32) -> Result<Calculator<'_>, Refusal> {
    // A model whose tokens see those behind them must see the whole text at once.
    let call = if traits.writes { CALL_TOKENS.min(window) } else { window };
    let parameters = context(threads)
        .with_n_ctx(NonZeroU32::new(window))
        .with_n_batch(call)
        .with_n_ubatch(call)
        .with_n_seq_max(1)
        .with_embeddings(true)
        // The vectors of tokens are put together here, so that a long text can be computed in several calls.
        .with_pooling_type(LlamaPoolingType::None);
    let (model, backend) = engine.parts();
    let context = model
        .new_context(backend, parameters)
        .map_err(|error| Refusal::Engine { detail: format!("no context for embeddings: {error}") })?;
    let call = usize::try_from(call).unwrap_or(1).max(1);
    Ok(Calculator { batch: LlamaBatch::new(call, 1), context, call })
}

impl Calculator<'_> {
    /// Adds the next tokens of `text` to its sum.
    fn compute(&mut self, text: &mut Text, pooling: Pooling) -> Result<(), Refusal> {
        let engine = |detail: String| Refusal::Engine { detail };
        if text.computed == 0 {
            self.context.clear_kv_cache_seq(None, None, None).map_err(|error| engine(error.to_string()))?;
        }
        let end = text.tokens.len().min(text.computed + self.call);
        let counts = |position: usize| match pooling {
            Pooling::Mean => true,
            Pooling::First => position == 0,
            Pooling::Last => position + 1 == text.tokens.len(),
        };
        self.batch.clear();
        for (position, token) in text.tokens.iter().enumerate().take(end).skip(text.computed) {
            let place = i32::try_from(position).map_err(|error| engine(error.to_string()))?;
            self.batch.add(*token, place, &[0], counts(position)).map_err(|error| engine(error.to_string()))?;
        }
        self.context.decode(&mut self.batch).map_err(|error| engine(error.to_string()))?;
        for (place, position) in (0_i32..).zip(text.computed..end) {
            if counts(position) {
                let vector = self.context.embeddings_ith(place).map_err(|error| engine(error.to_string()))?;
                text.sum.resize(vector.len(), 0.0);
                for (sum, value) in text.sum.iter_mut().zip(vector) {
                    *sum += f64::from(*value);
                }
            }
        }
        text.computed = end;
        Ok(())
    }
}

/// The first `dimensions` numbers in the same direction, with length 1; `None` when there is no direction.
#[expect(clippy::cast_possible_truncation, reason = "numbers from -1 to 1 lose nothing that 32 bits had")]
fn unit(sum: &[f64], dimensions: Option<u32>) -> Option<Vec<f32>> {
    let wanted = dimensions.and_then(|wanted| usize::try_from(wanted).ok()).unwrap_or(sum.len());
    let values = &sum[..wanted.min(sum.len())];
    let length = values.iter().map(|value| value * value).sum::<f64>().sqrt();
    let vector: Vec<f32> = values.iter().map(|value| (value / length) as f32).collect();
    (length > 0.0 && vector.iter().all(|value| value.is_finite())).then_some(vector)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vector_has_length_1_however_much_of_it_is_kept() {
        assert_eq!(unit(&[3.0, 4.0], None), Some(vec![0.6, 0.8]));
        assert_eq!(unit(&[3.0, 4.0], Some(1)), Some(vec![1.0]));
    }

    #[test]
    fn what_is_not_a_number_is_no_vector() {
        for sum in [vec![0.0, 0.0], vec![f64::NAN, 1.0], vec![f64::INFINITY, 1.0], Vec::new()] {
            assert_eq!(unit(&sum, None), None, "{sum:?}");
        }
    }
}
