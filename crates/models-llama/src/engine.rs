//! llama.cpp behind one door: a model, and one context in which many sequences run at once.

mod calculator;
mod guide;
mod model;
mod output;
mod pace;
mod pair;
mod plan;
mod prepare;
mod sampler;
mod sequence;
mod session;
mod slot;
mod split;
mod texts;

use std::num::NonZeroU32;
use std::path::Path;
use std::sync::Mutex;
use std::time::Instant;

use llama_cpp_2::LogOptions;
use llama_cpp_2::context::params::LlamaContextParams;
use llama_cpp_2::llama_backend::LlamaBackend;
use llama_cpp_2::model::LlamaModel;
use llama_cpp_2::token::LlamaToken;
use stoa_models::memory::{CONTEXT_BYTES, reserved_tokens, slots};
use stoa_models::protocol::{LoadFailure, MAX_SLOTS, Submission};
use stoa_models::template::TemplateSources;

use crate::devices::Given;
use guide::Guides;

pub(crate) use prepare::{Prepared, PreparedText, Preparer, Watch};
pub(crate) use session::Session;
pub(crate) use texts::TextQueue;

/// A submission, and when it came.
pub(crate) struct Request {
    pub(crate) asked: Box<Submission>,
    pub(crate) submitted: Instant,
}

/// A command whose texts are computed whole, one after the other, and when it came.
#[derive(Clone, Copy)]
pub(crate) struct Order {
    pub(crate) sequence: u64,
    /// Numbers of each vector, when not all of them are wanted.
    pub(crate) dimensions: Option<u32>,
    pub(crate) submitted: Instant,
}

/// Texts to embed.
pub(crate) struct Embed {
    pub(crate) inputs: Vec<String>,
    pub(crate) truncate: bool,
    pub(crate) dimensions: Option<u32>,
}

/// Documents to score.
pub(crate) struct Rerank {
    pub(crate) query: String,
    pub(crate) documents: Vec<String>,
    pub(crate) truncate: bool,
}

/// How large the context is to be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    /// Tokens of each sequence.
    pub(crate) context_window: u32,
    /// Sequences; as many as `context_bytes` hold when absent.
    pub(crate) slots: Option<u32>,
    pub(crate) context_bytes: Option<u64>,
    /// What this process may still take; `None` where the system does not tell.
    pub(crate) free_bytes: Option<u64>,
    pub(crate) threads: u32,
}

/// A loaded model. Fields are dropped in the order they are written: the model before its backend.
pub(crate) struct Engine {
    model: LlamaModel,
    backend: LlamaBackend,
}

impl Engine {
    /// `progress` is told from 0 to 1, and ends the loading by answering `false`.
    pub(crate) fn load(
        path: &Path,
        given: &Given,
        progress: impl FnMut(f32) -> bool + 'static,
    ) -> Result<Self, LoadFailure> {
        llama_cpp_2::send_logs_to_tracing(LogOptions::default());
        let load = || {
            let backend = LlamaBackend::init().map_err(|error| error.to_string())?;
            let model = split::load(&backend, path, given, progress)?;
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

    /// A context over the model, in which each sequence has at most the tokens that the model was made for. Where there
    /// is no memory for as many sequences as were hoped for, there are fewer.
    pub(crate) fn session(&self, room: Room) -> Result<Session<'_>, LoadFailure> {
        let window = self.window(room.context_window);
        let reserved = reserved_tokens(window);
        let per_slot = model::context_bytes_per_token(&self.model).saturating_mul(u64::from(reserved));
        let mut slots = match room.slots {
            Some(slots) => slots.clamp(1, MAX_SLOTS),
            None => slots(per_slot, room.context_bytes.unwrap_or(CONTEXT_BYTES), room.free_bytes),
        };
        loop {
            let parameters = context(room.threads)
                .with_n_ctx(NonZeroU32::new(reserved.saturating_mul(slots)))
                .with_n_batch(session::CALL_TOKENS.min(reserved))
                .with_n_ubatch(session::CALL_TOKENS.min(reserved))
                .with_n_seq_max(slots)
                // Each sequence has keys and values of its own, so that what one says never changes another's numbers.
                .with_kv_unified(false);
            match self.model.new_context(&self.backend, parameters) {
                Ok(context) => return Ok(Session::new(&self.model, context, window, slots)),
                Err(error) if room.slots.is_none() && slots > 1 => {
                    tracing::warn!(%error, slots, "llama.cpp cannot make a context for so many sequences");
                    slots /= 2;
                }
                Err(error) => {
                    tracing::error!(%error, "llama.cpp cannot make a context");
                    return Err(LoadFailure::Context { context_window: window });
                }
            }
        }
    }

    pub(crate) fn preparer(&self, context_window: u32) -> Preparer<'_> {
        Preparer {
            model: &self.model,
            traits: model::Traits::of(&self.model),
            sources: self.sources(),
            templates: Mutex::default(),
            guides: Guides::new(&self.model),
            window: self.window(context_window),
            pair_form: pair::PairForm::of(&self.model),
        }
    }

    /// What holds, whatever llama.cpp rounds it up to.
    fn window(&self, context_window: u32) -> u32 {
        context_window.min(self.model.n_ctx_train()).max(1)
    }

    fn sources(&self) -> TemplateSources {
        let vocabulary = self.model.vocab();
        let text = |token: LlamaToken| {
            let bytes = if token.0 < 0 { Vec::new() } else { vocabulary.token_to_piece(token, true, None) };
            String::from_utf8_lossy(&bytes).into_owned()
        };
        TemplateSources {
            jinja: self.model.meta_val_str("tokenizer.chat_template").ok(),
            go: None,
            bos: text(vocabulary.bos()),
            eos: text(vocabulary.eos()),
        }
    }
}

fn context(threads: u32) -> LlamaContextParams {
    let threads = i32::try_from(threads).unwrap_or(i32::MAX);
    LlamaContextParams::default().with_n_threads(threads).with_n_threads_batch(threads).with_no_perf(true)
}
