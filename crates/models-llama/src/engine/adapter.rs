//! Small changes of the model's weights (LoRA), which every context over it computes with.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use llama_cpp_2::context::LlamaContext;
use llama_cpp_2::model::{LlamaLoraAdapter, LlamaModel};
use stoa_models::protocol::{LoadFailure, Refusal};

use super::context::Context;

/// As much as its makers meant it.
const WHOLE: f32 = 1.0;

/// It is freed with the model. llama.cpp wants it for one context at a time.
pub(super) struct Adapter(Mutex<LlamaLoraAdapter>);

impl Adapter {
    /// Before the first context, which makes room for it.
    pub(super) fn load(model: &mut LlamaModel, path: &Path) -> Result<Self, LoadFailure> {
        model.lora_adapter_init(path).map(|adapter| Self(Mutex::new(adapter))).map_err(|error| {
            tracing::error!(%error, "llama.cpp cannot apply the adapter");
            LoadFailure::Adapter
        })
    }

    pub(super) fn apply(&self, context: &mut Context<'_>) -> Result<(), LoadFailure> {
        let mut adapter = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        context.adapt(&mut adapter, WHOLE).then_some(()).ok_or(LoadFailure::Adapter)
    }

    pub(super) fn apply_to_texts(&self, context: &mut LlamaContext<'_>) -> Result<(), Refusal> {
        let mut adapter = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let applied = context.lora_adapter_set(&mut adapter, WHOLE);
        applied.map_err(|error| Refusal::Engine { detail: format!("the adapter cannot be applied: {error}") })
    }
}
