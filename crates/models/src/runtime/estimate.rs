//! What a model will take, told from its file before it is loaded. Once it is, it is measured.

use stoa_model_store::{StoredModel, StoredProjector};

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

/// Vectors of a patch that are there at once while the eye computes a layer.
const EYE_VECTORS: u64 = 8;

/// Patches of an image where a projector takes any size and does not say how many: what most of those take at most.
const ANY_PATCHES: u64 = 4_096 * 4;

/// What decoding one image takes; the worker decodes one at a time.
const DECODING_BYTES: u64 = 256 << 20;

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
    let seeing = model.projector.as_ref().map_or(0, seeing_bytes);
    [model.size_bytes, per_slot.saturating_mul(slots), computing, seeing, PROGRAM_BYTES]
        .into_iter()
        .fold(0, u64::saturating_add)
}

/// The eye itself, which is read and not mapped; what it computes in; and an image while it is decoded.
fn seeing_bytes(projector: &StoredProjector) -> u64 {
    let eye = &projector.header;
    let side = u64::from(eye.patch_size).saturating_mul(u64::from(eye.patch_size)).max(1);
    let patches = match (eye.patches(), eye.max_pixels) {
        (0, None) => ANY_PATCHES,
        (patches, pixels) => patches.max(pixels.unwrap_or(0) / side),
    };
    let width = EYE_VECTORS * u64::from(eye.embedding_length) + 2 * u64::from(eye.feed_forward_length);
    let computing = patches.saturating_mul(width).saturating_mul(COMPUTED_BYTES);
    [projector.size_bytes, computing, DECODING_BYTES].into_iter().fold(0, u64::saturating_add)
}
