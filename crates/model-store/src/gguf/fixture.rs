//! A small good GGUF file for tests, and ways to spoil it.

#![expect(clippy::unwrap_used, reason = "a test whose fixture cannot be made fails")]

use std::io::Cursor;

use super::{Gguf, GgufError, MAGIC};

fn text(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend((text.len() as u64).to_le_bytes());
    bytes.extend(text.as_bytes());
}

/// A file in the making.
#[derive(Clone)]
pub struct File {
    pub version: u32,
    pub keys: Vec<(String, Vec<u8>)>,
    pub tensors: Vec<(String, Vec<u64>, u32, u64)>,
    /// The weights that are not zero, as they lie in the file.
    pub weights: Vec<u8>,
    /// Bytes of all weights.
    pub data: usize,
    pub alignment: u64,
}

impl File {
    /// A file that says nothing yet.
    pub fn empty() -> Self {
        Self { version: 3, keys: Vec::new(), tensors: Vec::new(), weights: Vec::new(), data: 0, alignment: 32 }
    }

    fn good() -> Self {
        Self::empty()
            .with_text("general.architecture", "llama")
            .with_text("general.name", "Tiny")
            .with_u32("general.file_type", 3)
            .with_u32("llama.context_length", 2_048)
            .with_u32("llama.block_count", 2)
            .with_u32("llama.embedding_length", 64)
            .with_u32("llama.attention.head_count", 4)
            .with_texts("tokenizer.ggml.tokens", &["<unk>", "<s>", "</s>"])
            .with_u32("tokenizer.ggml.bos_token_id", 1)
            .with_u32("tokenizer.ggml.eos_token_id", 2)
            .with_text("tokenizer.chat_template", "{{ messages }}<think>")
            .with_tensor("token_embd.weight", &[64, 9], 2, 0)
            .with_tensor("output_norm.weight", &[16], 0, 352)
    }

    #[must_use]
    pub fn with(mut self, key: &str, value: Vec<u8>) -> Self {
        self.keys.retain(|(name, _)| name != key);
        self.keys.push((key.to_owned(), value));
        self
    }

    #[must_use]
    pub fn with_u32(self, key: &str, value: u32) -> Self {
        let bytes = [4_u32.to_le_bytes(), value.to_le_bytes()].concat();
        self.with(key, bytes)
    }

    #[must_use]
    pub fn with_text(self, key: &str, value: &str) -> Self {
        let mut bytes = 8_u32.to_le_bytes().to_vec();
        text(&mut bytes, value);
        self.with(key, bytes)
    }

    #[must_use]
    pub fn with_f32(self, key: &str, value: f32) -> Self {
        self.with(key, [6_u32.to_le_bytes(), value.to_le_bytes()].concat())
    }

    #[must_use]
    pub fn with_bool(self, key: &str, value: bool) -> Self {
        let mut bytes = 7_u32.to_le_bytes().to_vec();
        bytes.push(value.into());
        self.with(key, bytes)
    }

    #[must_use]
    pub fn with_texts(self, key: &str, values: &[&str]) -> Self {
        let mut bytes = [9_u32.to_le_bytes(), 8_u32.to_le_bytes()].concat();
        bytes.extend((values.len() as u64).to_le_bytes());
        for value in values {
            text(&mut bytes, value);
        }
        self.with(key, bytes)
    }

    #[must_use]
    pub fn with_i32s(self, key: &str, values: &[i32]) -> Self {
        let mut bytes = [9_u32.to_le_bytes(), 5_u32.to_le_bytes()].concat();
        bytes.extend((values.len() as u64).to_le_bytes());
        bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        self.with(key, bytes)
    }

    #[must_use]
    pub fn with_f32s(self, key: &str, values: &[f32]) -> Self {
        let mut bytes = [9_u32.to_le_bytes(), 6_u32.to_le_bytes()].concat();
        bytes.extend((values.len() as u64).to_le_bytes());
        bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        self.with(key, bytes)
    }

    #[must_use]
    pub fn without(mut self, key: &str) -> Self {
        self.keys.retain(|(name, _)| name != key);
        self
    }

    #[must_use]
    pub fn with_tensor(mut self, name: &str, dimensions: &[u64], kind: u32, offset: u64) -> Self {
        self.tensors.retain(|(existing, ..)| existing != name);
        self.tensors.push((name.to_owned(), dimensions.to_vec(), kind, offset));
        self
    }

    /// A tensor of 32-bit numbers behind those that are there, with what is in it.
    #[must_use]
    pub fn with_numbers(self, name: &str, dimensions: &[u64], numbers: &[f32]) -> Self {
        let offset = (self.weights.len() as u64).next_multiple_of(self.alignment);
        let mut file = self.with_tensor(name, dimensions, 0, offset);
        file.weights.resize(usize::try_from(offset).unwrap(), 0);
        file.weights.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
        file.data = file.weights.len();
        file
    }

    fn header(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(self.version.to_le_bytes());
        bytes.extend((self.tensors.len() as u64).to_le_bytes());
        bytes.extend((self.keys.len() as u64).to_le_bytes());
        for (key, value) in &self.keys {
            text(&mut bytes, key);
            bytes.extend(value);
        }
        for (name, dimensions, kind, offset) in &self.tensors {
            text(&mut bytes, name);
            bytes.extend(u32::try_from(dimensions.len()).unwrap().to_le_bytes());
            bytes.extend(dimensions.iter().flat_map(|dimension| dimension.to_le_bytes()));
            bytes.extend(kind.to_le_bytes());
            bytes.extend(offset.to_le_bytes());
        }
        bytes
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.header();
        let start = (bytes.len() as u64).next_multiple_of(self.alignment.max(1));
        bytes.resize(usize::try_from(start).unwrap(), 0);
        bytes.extend(&self.weights);
        bytes.resize(usize::try_from(start).unwrap() + self.data, 0);
        bytes
    }

    pub fn read(&self) -> Result<Gguf, GgufError> {
        Gguf::read(Cursor::new(self.bytes()))
    }

    pub fn refusal(&self) -> String {
        self.read().unwrap_err().to_string()
    }
}

/// 9 rows of 64 in `Q4_0`: 2 blocks of 18 bytes a row.
pub const FIRST_TENSOR_BYTES: u64 = 9 * 2 * 18;

pub fn good() -> File {
    let mut file = File::good();
    file.data = usize::try_from(FIRST_TENSOR_BYTES.next_multiple_of(32)).unwrap() + 64;
    file
}

/// A small adapter of `good` that changes nothing: all its numbers are zero.
pub fn adapter() -> File {
    File::empty()
        .with_text("general.architecture", "llama")
        .with_text("general.type", "adapter")
        .with_text("adapter.type", "lora")
        .with_f32("adapter.lora.alpha", 4.0)
        .with_numbers("blk.0.attn_q.weight.lora_a", &[64, 2], &[0.0; 128])
        .with_numbers("blk.0.attn_q.weight.lora_b", &[2, 64], &[0.0; 128])
        .with_numbers("blk.1.attn_v.weight.lora_a", &[64, 3], &[0.0; 192])
        .with_numbers("blk.1.attn_v.weight.lora_b", &[3, 64], &[0.0; 192])
}

/// The header of a small eye; all its weights are zero.
pub fn eye() -> File {
    File::empty()
        .with_text("general.architecture", "clip")
        .with_text("general.type", "mmproj")
        .with_text("general.name", "Tiny Eye")
        .with_bool("clip.has_vision_encoder", true)
        .with_bool("clip.use_gelu", true)
        .with_text("clip.projector_type", "mlp")
        .with_u32("clip.vision.image_size", 8)
        .with_u32("clip.vision.patch_size", 4)
        .with_u32("clip.vision.embedding_length", 8)
        .with_u32("clip.vision.feed_forward_length", 16)
        .with_u32("clip.vision.block_count", 2)
        .with_u32("clip.vision.attention.head_count", 2)
        .with_u32("clip.vision.projection_dim", 8)
        .with_f32("clip.vision.attention.layer_norm_epsilon", 1e-5)
        .with_f32s("clip.vision.image_mean", &[0.5; 3])
        .with_f32s("clip.vision.image_std", &[0.5; 3])
        .with_numbers("v.patch_embd.weight", &[4, 4, 3, 8], &[0.0; 384])
        .with_numbers("v.position_embd.weight", &[8, 4], &[0.0; 32])
}
