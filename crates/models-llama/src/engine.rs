//! llama.cpp behind one door: a model, and one context in which many sequences run at once.

mod adapter;
mod calculator;
mod context;
mod eye;
mod gallery;
mod glance;
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
mod unit;

use std::path::Path;
use std::sync::{Arc, Mutex};
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
use crate::link::Vitals;

use adapter::Adapter;
use context::{Context, Size};
use gallery::Gallery;
use guide::Guides;

pub(crate) use eye::Eye;
pub(crate) use glance::{Seen, looks, watch};
pub(crate) use prepare::{Prepared, PreparedText, Preparer, Watch};
pub(crate) use session::Session;
pub(crate) use texts::TextQueue;

/// Tokens of one call where an image must be computed in one: as many as the models that are known make of one.
const IMAGE_CALL_TOKENS: u32 = 2_048;

/// A submission, and when it came.
pub(crate) struct Request {
    pub(crate) asked: Box<Submission>,
    /// The bytes of its images.
    pub(crate) images: Vec<Vec<u8>>,
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
    /// What every context over the model computes with. It is freed with the model.
    adapter: Option<Adapter>,
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
            Ok(Self { model, backend, adapter: None })
        };
        load().map_err(|error: String| {
            tracing::error!(error, "llama.cpp cannot load the model");
            LoadFailure::Model
        })
    }

    /// Changes the weights for all contexts that are made from now on.
    pub(crate) fn adapt(&mut self, path: &Path) -> Result<(), LoadFailure> {
        self.adapter = Some(Adapter::load(&mut self.model, path)?);
        Ok(())
    }

    pub(crate) const fn parts(&self) -> (&LlamaModel, &LlamaBackend) {
        (&self.model, &self.backend)
    }

    /// A context over the model, in which each sequence has at most the tokens that the model was made for. Where there
    /// is no memory for as many sequences as were hoped for, there are fewer.
    pub(crate) fn session<'e>(&'e self, eye: Option<&'e Eye<'e>>, room: Room) -> Result<Session<'e>, LoadFailure> {
        let window = self.window(room.context_window);
        let reserved = reserved_tokens(window);
        let per_slot = model::context_bytes_per_token(&self.model).saturating_mul(u64::from(reserved));
        let mut slots = match room.slots {
            Some(slots) => slots.clamp(1, MAX_SLOTS),
            None => slots(per_slot, room.context_bytes.unwrap_or(CONTEXT_BYTES), room.free_bytes),
        };
        // Where the parts of an image see each other, all of it is one call.
        let call = if eye.is_some_and(Eye::both_ways) { IMAGE_CALL_TOKENS } else { session::CALL_TOKENS };
        loop {
            let size = Size {
                tokens: reserved.saturating_mul(slots),
                call: call.min(reserved),
                sequences: slots,
                threads: room.threads,
            };
            match Context::new(&self.model, &self.backend, size) {
                Some(mut context) => {
                    if let Some(adapter) = &self.adapter {
                        adapter.apply(&mut context)?;
                    }
                    return Ok(Session::new(&self.model, context, window, slots));
                }
                None if room.slots.is_none() && slots > 1 => {
                    tracing::warn!(slots, "llama.cpp cannot make a context for so many sequences");
                    slots /= 2;
                }
                None => {
                    tracing::error!("llama.cpp cannot make a context");
                    return Err(LoadFailure::Context { context_window: window });
                }
            }
        }
    }

    /// The eye of the model, from a file of its own.
    pub(crate) fn eye(&self, path: &Path, threads: u32, vitals: Arc<Vitals>) -> Result<Eye<'_>, LoadFailure> {
        Eye::load(path, &self.model, threads, vitals)
    }

    pub(crate) fn preparer<'e>(&'e self, eye: Option<&'e Eye<'e>>, context_window: u32) -> Preparer<'e> {
        Preparer {
            model: &self.model,
            traits: model::Traits::of(&self.model),
            sources: self.sources(),
            templates: Mutex::default(),
            guides: Guides::new(&self.model),
            window: self.window(context_window),
            pair_form: pair::PairForm::of(&self.model),
            gallery: Gallery { eye, decoding: Mutex::default() },
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
