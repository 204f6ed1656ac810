//! What a model will take, told from its file before it is loaded: of the machine, and layer by layer of devices. Once it
//! is loaded, it is measured.

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

/// What the driver of a device takes of the machine, and of the device for each program that uses it.
const DRIVER_BYTES: u64 = 256 << 20;

/// The figures of a model that decide where it fits.
#[derive(Clone, Debug)]
pub(super) struct Estimate {
    /// Weights of each layer, and last what is computed behind them, which counts as one more.
    layers: Vec<u64>,
    input: u64,
    file: u64,
    /// Keys and values of one sequence, all layers together.
    per_slot: u64,
    /// As an operator has set it.
    slots: Option<u32>,
    context_bytes: u64,
    /// What a step computes in, and for each sequence the chances of all tokens.
    vectors: u64,
    chances: u64,
    /// Of the eye, which is the processor's wherever the layers are.
    seeing: u64,
    /// Changes of the weights, which are where these are: they are counted wherever that may be.
    adapter: u64,
}

impl Estimate {
    pub(super) fn of(model: &StoredModel, options: &RuntimeOptions) -> Self {
        let gguf = &model.gguf;
        let tokens = u64::from(reserved_tokens(options.context_window(model)));
        let vectors = (VECTORS * CALL_TOKENS).saturating_mul(u64::from(gguf.embedding_length));
        Self {
            layers: gguf.layers.layers.iter().copied().chain([gguf.layers.output]).collect(),
            input: gguf.layers.input,
            file: model.size_bytes,
            per_slot: gguf.context_numbers.saturating_mul(NUMBER_BYTES).saturating_mul(tokens),
            slots: options.slots.map(|slots| slots.clamp(1, MAX_SLOTS)),
            context_bytes: options.context_bytes.unwrap_or(CONTEXT_BYTES),
            vectors: vectors.saturating_mul(COMPUTED_BYTES),
            chances: gguf.vocabulary.saturating_mul(COMPUTED_BYTES),
            seeing: model.projector.as_ref().map_or(0, seeing_bytes),
            adapter: model.adapter.as_ref().map_or(0, |adapter| adapter.size_bytes),
        }
    }

    /// What it has that can be on a device: its layers, and one more for what is behind them.
    pub(super) fn layers(&self) -> u32 {
        u32::try_from(self.layers.len()).unwrap_or(u32::MAX)
    }

    /// How many sequences there would be where `room_bytes` are free, and whether an operator has said so.
    pub(super) fn slots(&self, room_bytes: u64) -> (u32, bool) {
        match self.slots {
            Some(slots) => (slots, true),
            None => (slots(self.per_slot, self.context_bytes, Some(room_bytes)), false),
        }
    }

    /// Weights, contexts of all sequences, and what a step computes in, all of it in the memory of the machine, where models
    /// may take `room_bytes` of that together.
    pub(super) fn on_processor(&self, room_bytes: u64) -> u64 {
        let (slots, _) = self.slots(room_bytes);
        sum([self.file, self.contexts(slots), self.computing(slots), self.seeing, self.adapter, PROGRAM_BYTES])
    }

    /// What the layers from `first` on, so many of them, take of a device.
    pub(super) fn on_device(&self, first: u32, count: u32, slots: u32) -> u64 {
        let (first, last) = (u64::from(first), u64::from(first) + u64::from(count));
        let weights = self.layers.iter().zip(0..).filter(|(_, layer)| (first..last).contains(layer));
        let weights = sum(weights.map(|(bytes, _)| *bytes));
        sum([weights, self.contexts_of(count, slots), self.computing(slots), self.adapter, DRIVER_BYTES])
    }

    /// What is left for the machine where the last `count` layers are on devices.
    pub(super) fn beside_devices(&self, count: u32, slots: u32) -> u64 {
        let left = self.layers().saturating_sub(count);
        let weights = sum(self.layers.iter().zip(0..).filter(|(_, layer)| *layer < left).map(|(bytes, _)| *bytes));
        sum([
            weights,
            self.input,
            self.contexts_of(left, slots),
            self.computing(slots),
            self.seeing,
            self.adapter,
            PROGRAM_BYTES,
            DRIVER_BYTES,
        ])
    }

    fn contexts(&self, slots: u32) -> u64 {
        self.per_slot.saturating_mul(u64::from(slots))
    }

    /// Of so many layers. What is behind the last layer keeps nothing, so this may be one layer too much.
    fn contexts_of(&self, layers: u32, slots: u32) -> u64 {
        let all = u64::from(self.layers().saturating_sub(1)).max(1);
        let per_layer = self.contexts(slots).div_ceil(all);
        per_layer.saturating_mul(u64::from(layers)).min(self.contexts(slots))
    }

    fn computing(&self, slots: u32) -> u64 {
        self.vectors.saturating_add(self.chances.saturating_mul(u64::from(slots)))
    }
}

fn sum(bytes: impl IntoIterator<Item = u64>) -> u64 {
    bytes.into_iter().fold(0, u64::saturating_add)
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
    sum([projector.size_bytes, computing, DECODING_BYTES])
}

#[cfg(test)]
impl Estimate {
    /// So many layers of `layer` bytes with `output` behind them, and `per_slot` for each of `slots`.
    pub(super) fn fixture(count: usize, layer: u64, output: u64, per_slot: u64, slots: Option<u32>) -> Self {
        let layers: Vec<u64> = std::iter::repeat_n(layer, count).chain([output]).collect();
        let file = sum(layers.iter().copied());
        Self {
            layers,
            input: output,
            file,
            per_slot,
            slots,
            context_bytes: 1 << 30,
            vectors: 0,
            chances: 0,
            seeing: 0,
            adapter: 0,
        }
    }

    pub(super) const DRIVER: u64 = DRIVER_BYTES;
}
