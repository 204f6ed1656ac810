//! A bare loop around llama.cpp, for benchmarks: what the machine gives when nothing is around it.

use std::num::NonZeroU32;
use std::path::Path;
use std::time::{Duration, Instant};

use llama_cpp_2::context::params::LlamaContextParams;
use llama_cpp_2::llama_batch::LlamaBatch;
use llama_cpp_2::model::LlamaModel;
use llama_cpp_2::sampling::LlamaSampler;
use llama_cpp_2::token::LlamaToken;
use stoa_models::protocol::{LoadFailure, Processor};

use crate::engine::Engine;
use crate::{cores, processor};

/// What the loop measured.
#[derive(Clone, Copy, Debug)]
pub struct RawDecode {
    /// Tokens of all prompts together, and of all answers.
    pub prompt_tokens: u32,
    pub decoded_tokens: u32,
    pub prefill: Duration,
    pub decode: Duration,
    pub threads: u32,
    /// The set of instructions it ran with.
    pub processor: &'static str,
}

impl RawDecode {
    pub fn prefill_tokens_per_second(&self) -> f64 {
        f64::from(self.prompt_tokens) / self.prefill.as_secs_f64()
    }

    pub fn decode_tokens_per_second(&self) -> f64 {
        f64::from(self.decoded_tokens) / self.decode.as_secs_f64()
    }
}

#[derive(Debug, thiserror::Error)]
pub enum RawDecodeError {
    #[error(transparent)]
    Load(#[from] LoadFailure),
    #[error("llama.cpp failed: {0}")]
    Engine(String),
}

/// How much the loop computes.
#[derive(Clone, Copy, Debug)]
pub struct RawLoad {
    /// Answers that are decoded together, a token of each in one call.
    pub sequences: u32,
    /// Arbitrary tokens in each of them first.
    pub prompt_tokens: u32,
    /// Tokens that are then decoded greedily in each, never stopping at the end of an answer.
    pub decoded_tokens: u32,
}

/// Runs in the calling process: only benchmarks may call it.
pub fn raw_decode(model: &Path, load: RawLoad, processor: Processor) -> Result<RawDecode, RawDecodeError> {
    processor::check()?;
    let kernels = processor::choose(processor);
    let engine = Engine::load(model, &crate::devices::Given::default(), |_| true)?;
    let threads = cores::usable();
    let (prefill, decode) = engine.raw(load, threads).map_err(RawDecodeError::Engine)?;
    Ok(RawDecode {
        prompt_tokens: load.prompt_tokens * load.sequences,
        decoded_tokens: load.decoded_tokens * load.sequences,
        prefill,
        decode,
        threads,
        processor: kernels,
    })
}

impl Engine {
    fn raw(&self, load: RawLoad, threads: u32) -> Result<(Duration, Duration), String> {
        let RawLoad { sequences, prompt_tokens, decoded_tokens } = load;
        let threads = i32::try_from(threads).unwrap_or(i32::MAX);
        let call = prompt_tokens.max(sequences);
        let each = (prompt_tokens + decoded_tokens).next_multiple_of(256);
        let parameters = LlamaContextParams::default()
            .with_n_ctx(NonZeroU32::new(each * sequences))
            .with_n_batch(call)
            .with_n_seq_max(sequences)
            .with_kv_unified(false)
            .with_n_threads(threads)
            .with_n_threads_batch(threads)
            .with_no_perf(true);
        let (model, backend) = self.parts();
        let mut context = model.new_context(backend, parameters).map_err(|error| error.to_string())?;
        let mut batch = LlamaBatch::new(usize::try_from(call).unwrap_or(1).max(1), 1);
        let lanes = 0..i32::try_from(sequences).map_err(|error| error.to_string())?;
        let prompt = arbitrary(model, prompt_tokens);
        let mut sampler = LlamaSampler::greedy();

        let started = Instant::now();
        let mut tokens = Vec::new();
        for lane in lanes.clone() {
            batch.clear();
            batch.add_sequence(&prompt, lane, false).map_err(|error| error.to_string())?;
            context.decode(&mut batch).map_err(|error| error.to_string())?;
            tokens.push(sampler.sample(&context, -1));
        }
        context.synchronize();
        let prefill = started.elapsed();

        let started = Instant::now();
        for position in prompt_tokens..prompt_tokens + decoded_tokens {
            batch.clear();
            let position = i32::try_from(position).map_err(|error| error.to_string())?;
            for (lane, token) in lanes.clone().zip(&tokens) {
                batch.add(*token, position, &[lane], true).map_err(|error| error.to_string())?;
            }
            context.decode(&mut batch).map_err(|error| error.to_string())?;
            tokens = lanes.clone().map(|lane| sampler.sample(&context, lane)).collect();
        }
        context.synchronize();
        Ok((prefill, started.elapsed()))
    }
}

fn arbitrary(model: &LlamaModel, count: u32) -> Vec<LlamaToken> {
    let vocabulary = model.n_vocab().max(1);
    (0..count)
        .map(|index| LlamaToken(i32::try_from(index.wrapping_mul(7_919) >> 1).unwrap_or(0) % vocabulary))
        .collect()
}
