//! The numbers of a model that the engine divides by, loops over or asserts: checked before it sees them.
//!
//! What they must be is what llama.cpp's loader takes; most of it would end the worker there without a word to the user.

use std::io::{Read, Seek};

use super::reader::{self, Reader, Value};
use super::{Gguf, GgufError, Metadata};

/// Architectures without attention, whose files say that they have no heads.
const WITHOUT_ATTENTION: &[&str] = &["mamba", "mamba2", "rwkv6", "rwkv6qwen2", "rwkv7", "arwkv7"];

/// Heads of one layer.
const MAX_HEADS: u64 = 1 << 16;

/// Numbers of one head.
const MAX_HEAD_LENGTH: u64 = 1 << 20;

/// What llama.cpp was built for.
const MAX_EXPERTS: u64 = 512;

/// Layers for which a list may give numbers.
const MAX_LAYERS: u64 = 4_096;

/// Numbers that are there only where a model has such a part, and are divided by where it has.
const PARTS: &[&str] = &[
    "ssm.conv_kernel",
    "ssm.inner_size",
    "ssm.state_size",
    "ssm.time_step_rank",
    "wkv.head_size",
    "shortconv.l_cache",
];

/// Refuses counts that no model of the architecture can have. Answers how many numbers it keeps for one token.
pub(super) fn check<R: Read + Seek>(
    metadata: &Metadata,
    reader: &mut Reader<R>,
    gguf: &Gguf,
) -> Result<u64, GgufError> {
    let architecture = &*gguf.architecture;
    let key = |name: &str| format!("{architecture}.{name}");
    for name in PARTS {
        positive(metadata, key(name), u64::MAX)?;
    }
    let key_length = positive(metadata, key("attention.key_length"), MAX_HEAD_LENGTH)?;
    let value_length = positive(metadata, key("attention.value_length"), MAX_HEAD_LENGTH)?;

    let heads = per_layer(metadata, reader, key("attention.head_count"))?;
    let key_heads = per_layer(metadata, reader, key("attention.head_count_kv"))?;
    if !WITHOUT_ATTENTION.contains(&architecture) {
        heads.not_all_zero()?;
        key_heads.not_all_zero()?;
    }
    if key_length.is_none() {
        // A head's length is the quotient.
        heads.at_most(u64::from(gguf.embedding_length))?;
    }
    for (heads, key_heads) in heads.numbers.iter().zip(key_heads.numbers.iter().cycle()) {
        if *key_heads > 0 && heads % key_heads != 0 {
            return Err(GgufError::OutOfRange { key: key("attention.head_count_kv"), value: *key_heads });
        }
    }
    experts(metadata, reader, architecture)?;
    if WITHOUT_ATTENTION.contains(&architecture) {
        return Ok(0);
    }
    // A head is as long as what is left to each of them; key heads are as many as heads where nothing else is said.
    let most_heads = heads.numbers.iter().copied().max().unwrap_or(1).max(1);
    let head = u64::from(gguf.embedding_length) / most_heads;
    let lengths = key_length.unwrap_or(head) + value_length.unwrap_or(head);
    let kept = if key_heads.numbers.is_empty() { &heads } else { &key_heads };
    Ok(kept.sum(gguf.block_count).saturating_mul(lengths))
}

fn experts<R: Read + Seek>(metadata: &Metadata, reader: &mut Reader<R>, architecture: &str) -> Result<(), GgufError> {
    let key = format!("{architecture}.expert_count");
    let count = metadata.number(&key)?.unwrap_or(0);
    if count > MAX_EXPERTS {
        return Err(GgufError::OutOfRange { key, value: count });
    }
    let used = per_layer(metadata, reader, format!("{architecture}.expert_used_count"))?;
    used.at_most(count)?;
    if count > 0 { used.not_all_zero() } else { Ok(()) }
}

/// A number that may be missing, but not zero.
fn positive(metadata: &Metadata, key: String, maximum: u64) -> Result<Option<u64>, GgufError> {
    match metadata.number(&key)? {
        Some(value) if value == 0 || value > maximum => Err(GgufError::OutOfRange { key, value }),
        number => Ok(number),
    }
}

/// One number for all layers, or one for each; none when the key is missing.
struct PerLayer {
    key: String,
    numbers: Vec<u64>,
}

fn per_layer<R: Read + Seek>(metadata: &Metadata, reader: &mut Reader<R>, key: String) -> Result<PerLayer, GgufError> {
    let numbers = match metadata.values.get(&key) {
        None => Vec::new(),
        Some(Value::Unsigned { value, .. }) => vec![*value],
        Some(Value::Array { kind: kind @ (reader::UINT32 | reader::INT32), count, position }) => {
            if !(1..=MAX_LAYERS).contains(count) {
                return Err(GgufError::OutOfRange { key, value: *count });
            }
            let numbers = reader.array_of_u32(*position, *count)?;
            // A negative number would be a very large one.
            let negative = numbers.iter().find(|number| *kind == reader::INT32 && **number > i32::MAX.unsigned_abs());
            if let Some(value) = negative {
                return Err(GgufError::OutOfRange { key, value: u64::from(*value) });
            }
            numbers.into_iter().map(u64::from).collect()
        }
        Some(_) => return Err(GgufError::WrongType { key }),
    };
    let counts = PerLayer { key, numbers };
    counts.at_most(MAX_HEADS)?;
    Ok(counts)
}

impl PerLayer {
    fn at_most(&self, maximum: u64) -> Result<(), GgufError> {
        match self.numbers.iter().find(|number| **number > maximum) {
            Some(value) => Err(GgufError::OutOfRange { key: self.key.clone(), value: *value }),
            None => Ok(()),
        }
    }

    /// Over so many layers; a single number holds for each of them.
    fn sum(&self, layers: u32) -> u64 {
        match self.numbers[..] {
            [same] => same.saturating_mul(u64::from(layers)),
            ref numbers => numbers.iter().fold(0, |sum: u64, number| sum.saturating_add(*number)),
        }
    }

    /// Of a list, some layers may have none: those without attention.
    fn not_all_zero(&self) -> Result<(), GgufError> {
        if !self.numbers.is_empty() && self.numbers.iter().all(|number| *number == 0) {
            return Err(GgufError::OutOfRange { key: self.key.clone(), value: 0 });
        }
        Ok(())
    }
}

/// Refuses a vocabulary whose lists do not belong together. `tokens` is how many there are.
pub(super) fn check_vocabulary(metadata: &Metadata, tokens: u64) -> Result<(), GgufError> {
    // Merges are as many as they like.
    let lists: [(&str, &[u32], u64); 3] = [
        ("tokenizer.ggml.scores", &[reader::FLOAT32, reader::INT32], tokens),
        ("tokenizer.ggml.token_type", &[reader::INT32], tokens),
        ("tokenizer.ggml.merges", &[reader::STRING], 0),
    ];
    for (key, kinds, least) in lists {
        match metadata.values.get(key) {
            None => {}
            Some(Value::Array { kind, count, .. }) if kinds.contains(kind) && *count >= least => {}
            Some(Value::Array { kind, count, .. }) if kinds.contains(kind) => {
                return Err(GgufError::OutOfRange { key: key.to_owned(), value: *count });
            }
            Some(_) => return Err(GgufError::WrongType { key: key.to_owned() }),
        }
    }
    Ok(())
}
