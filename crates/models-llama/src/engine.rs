//! llama.cpp behind one door: a model, one context, one sequence at a time.

mod generation;
mod sampler;

use std::num::NonZeroU32;
use std::path::Path;

use llama_cpp_2::LogOptions;
use llama_cpp_2::context::LlamaContext;
use llama_cpp_2::context::params::LlamaContextParams;
use llama_cpp_2::llama_backend::LlamaBackend;
use llama_cpp_2::llama_batch::LlamaBatch;
use llama_cpp_2::model::LlamaModel;
use llama_cpp_2::model::params::LlamaModelParams;
use llama_cpp_2::token::LlamaToken;
use stoa_models::protocol::{LoadFailure, Message, Refusal, Sampling};
use stoa_models::template::ChatTemplate;

use crate::link::LinkError;

/// The one sequence of llama.cpp that is in use.
const LANE: i32 = 0;

/// What one submission asks for.
pub(crate) struct Request {
    pub(crate) sequence: u64,
    pub(crate) messages: Vec<Message>,
    pub(crate) sampling: Sampling,
    pub(crate) max_tokens: Option<u32>,
    pub(crate) stop: Vec<String>,
    pub(crate) cache_scope: Option<String>,
    pub(crate) now_ms: i64,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum EngineError {
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error(transparent)]
    Link(#[from] LinkError),
    #[error("the server asked the worker to end")]
    Shutdown,
}

/// A loaded model. Fields are dropped in the order they are written: the model before its backend.
pub(crate) struct Engine {
    model: LlamaModel,
    backend: LlamaBackend,
}

impl Engine {
    /// `progress` is told from 0 to 1, and ends the loading by answering `false`.
    pub(crate) fn load(path: &Path, progress: impl FnMut(f32) -> bool + 'static) -> Result<Self, LoadFailure> {
        llama_cpp_2::send_logs_to_tracing(LogOptions::default());
        let load = || {
            let backend = LlamaBackend::init().map_err(|error| error.to_string())?;
            let parameters = LlamaModelParams::default().with_progress_callback(progress);
            let model = LlamaModel::load_from_file(&backend, path, &parameters).map_err(|error| error.to_string())?;
            Ok(Self { model, backend })
        };
        load().map_err(|error: String| {
            tracing::error!(error, "llama.cpp cannot load the model");
            LoadFailure::Model
        })
    }

    pub(crate) const fn parts(&self) -> (&LlamaModel, &LlamaBackend) {
        (&self.model, &self.backend)
    }

    /// A context over the model, of at most the tokens that the model was made for.
    pub(crate) fn session(&self, context_window: u32, threads: u32) -> Result<Session<'_>, LoadFailure> {
        let window = context_window.min(self.model.n_ctx_train()).max(1);
        let step = step_tokens(self.model.n_params()).min(window);
        let threads = i32::try_from(threads).unwrap_or(i32::MAX);
        let parameters = LlamaContextParams::default()
            .with_n_ctx(NonZeroU32::new(window))
            .with_n_batch(step)
            .with_n_ubatch(step)
            .with_n_seq_max(1)
            .with_n_threads(threads)
            .with_n_threads_batch(threads)
            .with_no_perf(true);
        let context = self.model.new_context(&self.backend, parameters).map_err(|error| {
            tracing::error!(%error, "llama.cpp cannot make a context");
            LoadFailure::Context { context_window: window }
        })?;
        Ok(Session {
            batch: LlamaBatch::new(usize::try_from(step).unwrap_or(1), 1),
            context,
            template: self.template(),
            model: &self.model,
            // llama.cpp rounds the context up; what was asked for is what holds.
            window,
            step,
            cached: Vec::new(),
            cache_scope: None,
        })
    }

    fn template(&self) -> Result<ChatTemplate, Refusal> {
        let source = self.model.meta_val_str("tokenizer.chat_template").map_err(|_| Refusal::NoTemplate)?;
        let vocabulary = self.model.vocab();
        let text = |token: LlamaToken| {
            let bytes = if token.0 < 0 { Vec::new() } else { vocabulary.token_to_piece(token, true, None) };
            String::from_utf8_lossy(&bytes).into_owned()
        };
        ChatTemplate::new(source, text(vocabulary.bos()), text(vocabulary.eos()))
            .map_err(|error| Refusal::Template { detail: error.to_string() })
    }
}

/// A context and what is in it. The batch and the context are dropped before the model they lean on.
pub(crate) struct Session<'engine> {
    batch: LlamaBatch<'static>,
    context: LlamaContext<'engine>,
    template: Result<ChatTemplate, Refusal>,
    model: &'engine LlamaModel,
    window: u32,
    step: u32,
    /// The tokens whose keys and values the context holds, in their order.
    cached: Vec<LlamaToken>,
    /// Whose they are.
    cache_scope: Option<String>,
}

impl Session<'_> {
    pub(crate) const fn context_window(&self) -> u32 {
        self.window
    }
}

/// How many tokens of a prompt are computed at once. A cancellation waits for one such step, so a large model takes
/// smaller ones. The number depends on the model alone: other steps round differently, and the same seed is to give
/// the same text.
const fn step_tokens(parameters: u64) -> u32 {
    match parameters {
        0..1_000_000_000 => 512,
        1_000_000_000..4_000_000_000 => 256,
        4_000_000_000..16_000_000_000 => 128,
        _ => 64,
    }
}
