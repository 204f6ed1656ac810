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

/// Prefills `prompt_tokens` arbitrary tokens and decodes `decoded_tokens` greedily, never stopping at the end of an
/// answer. Runs in the calling process: only benchmarks may call it.
pub fn raw_decode(
    model: &Path,
    prompt_tokens: u32,
    decoded_tokens: u32,
    processor: Processor,
) -> Result<RawDecode, RawDecodeError> {
    processor::check()?;
    let kernels = processor::choose(processor);
    let engine = Engine::load(model, |_| true)?;
    let threads = cores::usable();
    let (prefill, decode) = engine.raw(prompt_tokens, decoded_tokens, threads).map_err(RawDecodeError::Engine)?;
    Ok(RawDecode { prompt_tokens, decoded_tokens, prefill, decode, threads, processor: kernels })
}

impl Engine {
    fn raw(&self, prompt_tokens: u32, decoded_tokens: u32, threads: u32) -> Result<(Duration, Duration), String> {
        let threads = i32::try_from(threads).unwrap_or(i32::MAX);
        let parameters = LlamaContextParams::default()
            .with_n_ctx(NonZeroU32::new(prompt_tokens + decoded_tokens))
            .with_n_batch(prompt_tokens)
            .with_n_threads(threads)
            .with_n_threads_batch(threads)
            .with_no_perf(true);
        let (model, backend) = self.parts();
        let mut context = model.new_context(backend, parameters).map_err(|error| error.to_string())?;
        let mut batch = LlamaBatch::new(usize::try_from(prompt_tokens).unwrap_or(1).max(1), 1);
        batch.add_sequence(&arbitrary(model, prompt_tokens), 0, false).map_err(|error| error.to_string())?;

        let started = Instant::now();
        context.decode(&mut batch).map_err(|error| error.to_string())?;
        context.synchronize();
        let prefill = started.elapsed();

        let mut sampler = LlamaSampler::greedy();
        let started = Instant::now();
        for position in prompt_tokens..prompt_tokens + decoded_tokens {
            let token = sampler.sample(&context, -1);
            batch.clear();
            let position = i32::try_from(position).map_err(|error| error.to_string())?;
            batch.add(token, position, &[0], true).map_err(|error| error.to_string())?;
            context.decode(&mut batch).map_err(|error| error.to_string())?;
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
