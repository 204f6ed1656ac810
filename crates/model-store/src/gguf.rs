//! Reads what a GGUF file says about itself, and refuses a file that llama.cpp must never see.
//!
//! The format is that of ggml's `docs/gguf.md`, versions 2 and 3, little-endian. Every count and length is checked
//! against a limit and against what is left of the file before anything is read or reserved for it, and every tensor
//! must lie inside the file exactly where the engine will look for it.

mod adapter;
mod layers;
mod projector;
mod reader;
mod shape;
mod summary;
mod tensor;

use std::collections::{HashMap, HashSet};
use std::io::{Read, Seek, SeekFrom};

use layers::Gathering;
use reader::{Reader, Value};

pub use adapter::Adapter;
pub use layers::Layers;
pub use projector::Projector;
pub use summary::{Summary, TensorSummary};

const MAGIC: [u8; 4] = *b"GGUF";

/// Keys and tensors a file may have. The largest known models have about 60 keys and 3,000 tensors.
const MAX_KEYS: u64 = 4_096;
const MAX_TENSORS: u64 = 65_536;

/// Bytes of one key, as the format says.
const MAX_KEY_BYTES: u64 = 65_535;

/// Bytes of one string value. Chat templates are the longest.
const MAX_STRING_BYTES: u64 = 8 * 1024 * 1024;

/// Elements of one array. Merges of the largest vocabularies have about 500,000.
const MAX_ARRAY_ELEMENTS: u64 = 16 * 1024 * 1024;

/// ggml keeps tensor names in 64 bytes with a closing zero.
const MAX_TENSOR_NAME_BYTES: u64 = 63;

/// Layers of a model.
const MAX_LAYERS: u32 = 4_096;

const MAX_DIMENSIONS: u32 = 4;

const DEFAULT_ALIGNMENT: u64 = 32;
/// llama.cpp's numbers of what becomes of the vectors of a text's tokens.
const NO_POOLING: u64 = 0;
const RANK_POOLING: u64 = 4;
const MAX_ALIGNMENT: u64 = 1024 * 1024;

/// The longest tokens that templates use as marks.
const MAX_TOKEN_BYTES: usize = 1_024;

#[derive(Debug, thiserror::Error)]
pub enum GgufError {
    #[error("the file cannot be read")]
    Read(#[from] std::io::Error),
    #[error("it is no GGUF file")]
    NotGguf,
    #[error("it is GGUF of version {version}; versions 2 and 3 are read")]
    Version { version: u32 },
    #[error("it is for big-endian machines")]
    BigEndian,
    #[error("it ends in the middle: {expected} more bytes were expected at byte {position}")]
    Truncated { position: u64, expected: u64 },
    #[error("it has {count} {what}, more than {maximum}")]
    TooMany { what: &'static str, count: u64, maximum: u64 },
    #[error("{what} is {length} bytes long, more than {maximum}")]
    TooLong { what: &'static str, length: u64, maximum: u64 },
    #[error("{what} is no valid UTF-8")]
    NotText { what: &'static str },
    #[error("`{key}` is there twice")]
    DuplicateKey { key: String },
    #[error("the tensor `{name}` is there twice")]
    DuplicateTensor { name: String },
    #[error("`{key}` has the unknown type {kind}")]
    UnknownValueType { key: String, kind: u32 },
    #[error("`{key}` is missing")]
    Missing { key: String },
    #[error("`{key}` is of the wrong type")]
    WrongType { key: String },
    #[error("`{key}` is {value}, which no model can have")]
    OutOfRange { key: String, value: u64 },
    #[error("the alignment is {alignment}; it must be a power of two up to {MAX_ALIGNMENT}")]
    Alignment { alignment: u64 },
    #[error("the tensor `{name}` {detail}")]
    Tensor { name: String, detail: String },
    #[error("the tensor `{name}` ends at byte {end}, but the file has only {length}")]
    TensorOutsideFile { name: String, end: u64, length: u64 },
    #[error("it has no tensors")]
    NoTensors,
    #[error(
        "it is part of a model that is split over {parts} files; merge them first, for example with llama-gguf-split"
    )]
    Split { parts: u64 },
    #[error("it is {kind}, not a model")]
    NotAModel { kind: String },
    #[error("it is no projector: its architecture is `{architecture}`")]
    NotAProjector { architecture: String },
    #[error("it is no adapter: its type is `{kind}`")]
    NotAnAdapter { kind: String },
    #[error("it is an adapter that {detail}")]
    UnusableAdapter { detail: String },
    #[error("it is a projector that {detail}")]
    UnusableProjector { detail: String },
}

/// What a model's file says about the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gguf {
    pub architecture: String,
    pub name: Option<String>,
    /// As the makers write it: `135M`.
    pub size_label: Option<String>,
    /// How the weights are packed: `Q4_1`.
    pub quantization: String,
    /// Weights in all tensors.
    pub parameters: u64,
    /// Tokens that the model was made for.
    pub context_length: u32,
    pub block_count: u32,
    pub embedding_length: u32,
    /// Tokens that it knows.
    pub vocabulary: u64,
    /// Numbers that it keeps for one token of a sequence: keys and values of all layers. 0 where its memory of a sequence
    /// does not grow.
    pub context_numbers: u64,
    /// What the weights of each layer take.
    pub layers: Layers,
    pub chat_template: Option<String>,
    pub bos_token: Option<String>,
    pub eos_token: Option<String>,
    /// It was made to turn text into vectors.
    pub embeds: bool,
    /// It was made to tell how well one text answers another.
    pub ranks: bool,
    /// Its eye is in the same file.
    pub sees: bool,
}

impl Gguf {
    /// Reads and checks a whole header. `file` is read from its beginning; the tensors themselves are not read.
    pub fn read<R: Read + Seek>(file: R) -> Result<Self, GgufError> {
        let mut gathering = Gathering::default();
        let most_layers = usize::try_from(MAX_LAYERS).unwrap_or(usize::MAX);
        let mut gather = |tensor: &tensor::Info| gathering.add(&tensor.name, tensor.size, most_layers);
        let Header { mut reader, metadata, parameters } = Header::read(file, &mut gather)?;
        // What is no model lacks much else, too.
        if let Some(kind) = metadata.text("general.type")?.filter(|kind| kind != "model") {
            return Err(GgufError::NotAModel { kind: kind.chars().take(40).collect() });
        }
        let tokens = metadata.tokens(&mut reader)?;
        let gguf = metadata.describe(parameters, tokens)?;
        let context_numbers = shape::check(&metadata, &mut reader, &gguf)?;
        Ok(Self { context_numbers, layers: gathering.layers(gguf.block_count), ..gguf })
    }
}

/// What a model and a projector have in common, checked.
struct Header<R> {
    reader: Reader<R>,
    metadata: Metadata,
    /// Weights in all tensors.
    parameters: u64,
}

impl<R: Read + Seek> Header<R> {
    /// `tensor` is shown every tensor.
    fn read(mut file: R, tensor: &mut dyn FnMut(&tensor::Info)) -> Result<Self, GgufError> {
        let length = file.seek(SeekFrom::End(0))?;
        file.seek(SeekFrom::Start(0))?;
        let mut reader = Reader::new(file, length);

        read_version(&mut reader)?;
        let tensors = limited("tensors", reader.u64()?, MAX_TENSORS)?;
        let keys = limited("keys", reader.u64()?, MAX_KEYS)?;

        let mut metadata = Metadata::default();
        for _ in 0..keys {
            metadata.read_pair(&mut reader)?;
        }
        let alignment = metadata.alignment()?;
        let parameters = read_tensors(&mut reader, tensors, alignment, tensor)?;
        Ok(Self { reader, metadata, parameters })
    }
}

fn read_version<R: Read + Seek>(reader: &mut Reader<R>) -> Result<(), GgufError> {
    if reader.bytes::<4>()? != MAGIC {
        return Err(GgufError::NotGguf);
    }
    match reader.u32()? {
        2 | 3 => Ok(()),
        version if matches!(version.swap_bytes(), 1..=3) => Err(GgufError::BigEndian),
        version => Err(GgufError::Version { version }),
    }
}

fn limited(what: &'static str, count: u64, maximum: u64) -> Result<u64, GgufError> {
    if count > maximum { Err(GgufError::TooMany { what, count, maximum }) } else { Ok(count) }
}

/// The pairs of keys and values that matter here; the names of all.
#[derive(Default)]
struct Metadata {
    seen: HashSet<String>,
    values: HashMap<String, Value>,
}

/// Texts of the tokens that templates use.
struct Tokens {
    count: u64,
    bos: Option<String>,
    eos: Option<String>,
}

impl Metadata {
    fn read_pair<R: Read + Seek>(&mut self, reader: &mut Reader<R>) -> Result<(), GgufError> {
        let key = reader.string("a key", MAX_KEY_BYTES)?;
        if !self.seen.insert(key.clone()) {
            return Err(GgufError::DuplicateKey { key });
        }
        let value = reader.value(&key)?;
        if key.starts_with("general.")
            || key.starts_with("tokenizer.")
            || key.starts_with("split.")
            || key.starts_with("clip.")
            || key.starts_with("adapter.")
            // One number for each layer.
            || key.ends_with(".attention.head_count")
            || key.ends_with(".attention.head_count_kv")
            || key.ends_with(".expert_used_count")
            || !matches!(value, Value::Array { .. } | Value::Text(_))
        {
            self.values.insert(key, value);
        }
        Ok(())
    }

    fn alignment(&self) -> Result<u64, GgufError> {
        let alignment = match self.values.get("general.alignment") {
            None => return Ok(DEFAULT_ALIGNMENT),
            Some(Value::Unsigned { value, bits: 32 }) => *value,
            Some(_) => return Err(GgufError::WrongType { key: "general.alignment".to_owned() }),
        };
        if alignment.is_power_of_two() && alignment <= MAX_ALIGNMENT {
            Ok(alignment)
        } else {
            Err(GgufError::Alignment { alignment })
        }
    }

    fn text(&self, key: &str) -> Result<Option<String>, GgufError> {
        match self.values.get(key) {
            None => Ok(None),
            Some(Value::Text(text)) => Ok(Some(text.clone())),
            Some(_) => Err(GgufError::WrongType { key: key.to_owned() }),
        }
    }

    fn number(&self, key: &str) -> Result<Option<u64>, GgufError> {
        match self.values.get(key) {
            None => Ok(None),
            Some(Value::Unsigned { value, .. }) => Ok(Some(*value)),
            Some(_) => Err(GgufError::WrongType { key: key.to_owned() }),
        }
    }

    /// A count that the engine divides by or loops over, so that zero would crash it and more would never end.
    fn count(&self, key: String, maximum: u32) -> Result<u32, GgufError> {
        let Some(value) = self.number(&key)? else { return Err(GgufError::Missing { key }) };
        u32::try_from(value)
            .ok()
            .filter(|count| (1..=maximum).contains(count))
            .ok_or(GgufError::OutOfRange { key, value })
    }

    fn tokens<R: Read + Seek>(&self, reader: &mut Reader<R>) -> Result<Tokens, GgufError> {
        const KEY: &str = "tokenizer.ggml.tokens";
        let (first, count) = match self.values.get(KEY) {
            None => return Err(GgufError::Missing { key: KEY.to_owned() }),
            Some(Value::Array { kind: reader::STRING, count, position }) if *count > 0 => (*position, *count),
            Some(_) => return Err(GgufError::WrongType { key: KEY.to_owned() }),
        };
        shape::check_vocabulary(self, count)?;
        let mut token = |key: &str| -> Result<Option<String>, GgufError> {
            match self.number(key)? {
                Some(id) if id < count => reader.array_string(first, id, MAX_TOKEN_BYTES),
                // The engine takes an id outside the vocabulary for none, and so do its makers.
                _ => Ok(None),
            }
        };
        Ok(Tokens { count, bos: token("tokenizer.ggml.bos_token_id")?, eos: token("tokenizer.ggml.eos_token_id")? })
    }

    fn describe(&self, parameters: u64, tokens: Tokens) -> Result<Gguf, GgufError> {
        if let Some(parts) = self.number("split.count")?.filter(|parts| *parts > 1) {
            return Err(GgufError::Split { parts });
        }
        let architecture = self
            .text("general.architecture")?
            .ok_or_else(|| GgufError::Missing { key: "general.architecture".to_owned() })?;
        if architecture == "clip" {
            return Err(GgufError::NotAModel { kind: "the eye of a model (projector)".to_owned() });
        }
        let of_architecture = |name: &str| format!("{architecture}.{name}");
        let pooling = self.number(&of_architecture("pooling_type"))?;
        Ok(Gguf {
            name: self.text("general.name")?,
            size_label: self.text("general.size_label")?,
            quantization: tensor::file_type_name(self.number("general.file_type")?),
            parameters,
            context_length: self.count(of_architecture("context_length"), 1 << 30)?,
            block_count: self.count(of_architecture("block_count"), MAX_LAYERS)?,
            embedding_length: self.count(of_architecture("embedding_length"), 1 << 24)?,
            vocabulary: tokens.count,
            context_numbers: 0,
            layers: Layers::default(),
            chat_template: self.text("tokenizer.chat_template")?,
            bos_token: tokens.bos,
            eos_token: tokens.eos,
            embeds: pooling.is_some_and(|kind| kind != NO_POOLING && kind != RANK_POOLING),
            ranks: pooling == Some(RANK_POOLING),
            sees: self.number(&of_architecture("vision.block_count"))?.is_some_and(|blocks| blocks > 0),
            architecture,
        })
    }
}

/// Checks every tensor's place and answers how many weights there are.
fn read_tensors<R: Read + Seek>(
    reader: &mut Reader<R>,
    count: u64,
    alignment: u64,
    tensor: &mut dyn FnMut(&tensor::Info),
) -> Result<u64, GgufError> {
    if count == 0 {
        return Err(GgufError::NoTensors);
    }
    let mut names = HashSet::new();
    let mut parameters = 0_u64;
    // The end of the data so far, from its start. The engine wants the tensors in order and without gaps.
    let mut end = 0_u64;
    for _ in 0..count {
        let info = tensor::Info::read(reader)?;
        if !names.insert(info.name.clone()) {
            return Err(GgufError::DuplicateTensor { name: info.name });
        }
        if info.offset != end {
            let detail = format!("lies at byte {} of the data, not at {end}", info.offset);
            return Err(GgufError::Tensor { name: info.name, detail });
        }
        let too_large = || GgufError::Tensor { name: info.name.clone(), detail: "is too large".to_owned() };
        end = info
            .size
            .checked_next_multiple_of(alignment)
            .and_then(|size| end.checked_add(size))
            .ok_or_else(too_large)?;
        parameters = parameters.checked_add(info.elements).ok_or_else(too_large)?;
        // The data begins behind the last entry, so this is exact for the last tensor, which covers the others.
        // Padding behind it may be missing.
        let start = reader.position().checked_next_multiple_of(alignment).ok_or_else(too_large)?;
        let unpadded =
            info.offset.checked_add(info.size).and_then(|end| start.checked_add(end)).ok_or_else(too_large)?;
        if unpadded > reader.length() {
            return Err(GgufError::TensorOutsideFile { name: info.name, end: unpadded, length: reader.length() });
        }
        tensor(&info);
    }
    Ok(parameters)
}

#[cfg(any(test, feature = "testing"))]
pub mod fixture;
#[cfg(test)]
mod tests;
