//! What a model will take, told from its file before it is loaded. Once it is, it is measured.

use stoa_model_store::StoredModel;

use super::options::RuntimeOptions;
use crate::memory::{CONTEXT_BYTES, reserved_tokens, slots};
use crate::protocol::MAX_SLOTS;

/// Bytes of one number of keys and values: 16 bits.
const NUMBER_BYTES: u64 = 2;

/// Tokens of the largest call, and bytes of one number while it is computed.
const CALL_TOKENS: u64 = 512;
const COMPUTED_BYTES: u64 = 4;

/// Vectors of a token that are there at once while a layer is computed: its input, what attention makes of it, and the
/// several times wider ones between.
const VECTORS: u64 = 16;

/// The program, its threads and its tokenizer.
const PROGRAM_BYTES: u64 = 64 << 20;

/// Weights, contexts of all sequences, and what a step computes in, where models may take `room_bytes` together.
pub(super) fn needed_bytes(model: &StoredModel, options: &RuntimeOptions, room_bytes: u64) -> u64 {
    let gguf = &model.gguf;
    let tokens = u64::from(reserved_tokens(options.context_window(model)));
    let per_slot = gguf.context_numbers.saturating_mul(NUMBER_BYTES).saturating_mul(tokens);
    let slots = options.slots.map_or_else(
        || slots(per_slot, options.context_bytes.unwrap_or(CONTEXT_BYTES), Some(room_bytes)),
        |slots| slots.clamp(1, MAX_SLOTS),
    );
    let slots = u64::from(slots);
    let vectors = (VECTORS * CALL_TOKENS).saturating_mul(u64::from(gguf.embedding_length));
    let chances = slots.saturating_mul(gguf.vocabulary);
    let computing = vectors.saturating_add(chances).saturating_mul(COMPUTED_BYTES);
    [model.size_bytes, per_slot.saturating_mul(slots), computing, PROGRAM_BYTES]
        .into_iter()
        .fold(0, u64::saturating_add)
}
