//! What a projector says of itself: the eye that turns images into what its model reads, in a file of its own.
//!
//! What its numbers must be is what llama.cpp's `clip.cpp` divides by, reserves for, or asserts. It reads each with the
//! very type that is asked for here, and aborts on another.

use std::io::{Read, Seek};

use super::reader::{self, Reader, Value};
use super::{GgufError, Header, Metadata};

/// The kinds of eyes that llama.cpp knows. Those that only hear are not among them.
const KINDS: &[&str] = &[
    "adapter",
    "cogvlm",
    "deepseek4v",
    "deepseekocr",
    "deepseekocr2",
    "dots3note_v",
    "dots_ocr",
    "exaone4_5",
    "gemma3",
    "gemma3nv",
    "gemma4uv",
    "gemma4v",
    "glm4v",
    "glm5v",
    "granite4_vision",
    "hunyuanvl",
    "idefics3",
    "internvl",
    "janus_pro",
    "kimik25",
    "kimivl",
    "ldp",
    "ldpv2",
    "lfm2",
    "lightonocr",
    "ling3vl",
    "llama4",
    "mimovl",
    "minicpmv4_6",
    "minimax_m3",
    "mlp",
    "muse-glimmer",
    "nemotron_v2_vl",
    "paddleocr",
    "phi4",
    "pixtral",
    "qwen2.5o",
    "qwen2.5vl_merger",
    "qwen2vl_merger",
    "qwen3vl_merger",
    "resampler",
    "step3vl",
    "yasa2",
    "youtuvl",
];

/// Those that look up a learned place for each patch, one by one: a table that is too short would end the worker.
const WITH_PLACES: &[&str] = &["mlp", "ldp", "ldpv2", "adapter", "gemma3", "janus_pro"];
const PLACES: &str = "v.position_embd.weight";

const MAX_WIDTH: u32 = 1 << 16;
const MAX_HEADS: u32 = 1 << 12;
const MAX_LAYERS: u32 = 1_024;

/// llama.cpp counts patches of an image in 32 bits, and so refuses larger ones itself.
const MAX_IMAGE_SIZE: u64 = 8_192;
const MAX_PIXELS: u64 = 1 << 26;

/// Patches that are merged to one along a side.
const MAX_MERGE: u64 = 64;

const MAX_TILES: u64 = 256;
const MAX_WINDOW: u64 = 4_096;

/// Elements of a list of layers or sizes.
const MAX_LIST: u64 = 4_096;

/// Numbers that need not be there, and from what to what they may be.
const RANGES: &[(&str, u64, u64)] = &[
    ("vision.projector.scale_factor", 1, MAX_MERGE),
    ("vision.spatial_merge_size", 1, MAX_MERGE),
    ("vision.image_min_pixels", 1, MAX_PIXELS),
    ("vision.image_max_pixels", 1, MAX_PIXELS),
    ("vision.preproc_min_tiles", 0, MAX_TILES),
    ("vision.preproc_max_tiles", 1, MAX_TILES),
    ("vision.preproc_image_size", 1, MAX_IMAGE_SIZE),
    ("vision.window_size", 1, MAX_WINDOW),
    ("vision.n_wa_pattern", 0, MAX_WINDOW),
    ("vision.projector.query_side", 1, MAX_MERGE),
    ("vision.projector.window_side", 1, MAX_MERGE),
    ("vision.expert_used_count", 1, 512),
    ("vision.attention.head_dim", 1, 1 << 16),
    ("vision.sam.head_count", 1, 4_096),
    ("vision.sam.block_count", 1, 1_024),
    ("vision.sam.embedding_length", 1, 1 << 16),
    ("minicpmv_query_num", 0, 4_096),
];

/// An eye as its header describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Projector {
    pub name: Option<String>,
    /// How what it sees is put into the words of the model: `mlp`, `qwen2.5vl_merger`.
    pub kind: String,
    /// Weights in all tensors.
    pub parameters: u64,
    pub block_count: u32,
    pub embedding_length: u32,
    pub feed_forward_length: u32,
    pub head_count: u32,
    /// Pixels along a side of the image that it was made for; 0 where it takes any.
    pub image_size: u32,
    /// Pixels along a side of a patch, which becomes one vector.
    pub patch_size: u32,
    /// The most pixels of one image, where it takes any size and says so.
    pub max_pixels: Option<u64>,
}

impl Projector {
    /// Reads and checks a whole header. `file` is read from its beginning; the tensors themselves are not read.
    pub fn read<R: Read + Seek>(file: R) -> Result<Self, GgufError> {
        let mut places = None;
        let mut tensor = |info: &super::tensor::Info| {
            if info.name == PLACES {
                places = info.shape.get(1).copied().or(Some(0));
            }
        };
        let Header { mut reader, metadata, parameters } = Header::read(file, &mut tensor)?;
        let architecture = metadata.text("general.architecture")?.unwrap_or_default();
        if architecture != "clip" {
            return Err(GgufError::NotAProjector { architecture: architecture.chars().take(40).collect() });
        }
        check_types(&metadata)?;
        if !metadata.truth("clip.has_vision_encoder")? {
            return Err(unusable("sees nothing"));
        }
        if metadata.truth("clip.has_gen_audio_encoder")? {
            return Err(unusable("speaks, which cannot be used here"));
        }
        let kind = match metadata.text("clip.projector_type")?.filter(|kind| !kind.is_empty()) {
            Some(kind) => kind,
            None => metadata
                .text("clip.vision.projector_type")?
                .ok_or_else(|| GgufError::Missing { key: "clip.projector_type".to_owned() })?,
        };
        if !KINDS.contains(&&*kind) {
            let kind: String = kind.chars().take(40).collect();
            return Err(unusable(&format!("is of the kind {kind:?}, which is not known here")));
        }
        let projector = metadata.eye(kind, parameters)?;
        projector.check(&metadata, &mut reader, places)?;
        if metadata.truth("clip.has_audio_encoder")? {
            check_ear(&metadata)?;
        }
        Ok(projector)
    }

    /// Patches of an image of the size that it was made for.
    pub fn patches(&self) -> u64 {
        let side = u64::from(self.image_size / self.patch_size.max(1));
        side * side
    }

    fn check<R: Read + Seek>(
        &self,
        metadata: &Metadata,
        reader: &mut Reader<R>,
        places: Option<u64>,
    ) -> Result<(), GgufError> {
        if self.image_size > 0 && self.image_size < self.patch_size {
            return Err(out_of_range("clip.vision.patch_size", u64::from(self.patch_size)));
        }
        check_heads(metadata, "vision", self.embedding_length, self.head_count)?;
        for (name, least, most) in RANGES {
            let key = format!("clip.{name}");
            if let Some(value) = metadata.number(&key)?.filter(|value| !(least..=most).contains(&value)) {
                return Err(GgufError::OutOfRange { key, value });
            }
        }
        let pixels = |name: &str| metadata.number(&format!("clip.vision.{name}"));
        if let (Some(least), Some(most)) = (pixels("image_min_pixels")?, pixels("image_max_pixels")?)
            && least > most
        {
            return Err(out_of_range("clip.vision.image_min_pixels", least));
        }
        for name in ["image_mean", "image_std"] {
            check_colours(metadata, reader, &format!("clip.vision.{name}"))?;
        }
        for (name, most) in [
            ("feature_layer", u64::from(self.block_count)),
            ("wa_layer_indexes", u64::from(self.block_count)),
            ("wa_pattern_mode", u64::from(u32::MAX)),
            ("image_grid_pinpoints", MAX_IMAGE_SIZE),
            ("projector.spatial_offsets", u64::from(u32::MAX)),
        ] {
            check_list(metadata, reader, format!("clip.vision.{name}"), most)?;
        }
        if WITH_PLACES.contains(&&*self.kind) && places.is_some_and(|places| places < self.patches()) {
            let detail =
                format!("has {} places, fewer than the {} patches of an image", places.unwrap_or(0), self.patches());
            return Err(GgufError::Tensor { name: PLACES.to_owned(), detail });
        }
        Ok(())
    }
}

impl Metadata {
    fn truth(&self, key: &str) -> Result<bool, GgufError> {
        match self.values.get(key) {
            None => Ok(false),
            Some(Value::Bool(value)) => Ok(*value),
            Some(_) => Err(GgufError::WrongType { key: key.to_owned() }),
        }
    }

    fn eye(&self, kind: String, parameters: u64) -> Result<Projector, GgufError> {
        let of_eye = |name: &str| format!("clip.vision.{name}");
        let image_size = of_eye("image_size");
        let size = self.number(&image_size)?.ok_or_else(|| GgufError::Missing { key: image_size.clone() })?;
        Ok(Projector {
            name: self.text("general.name")?,
            kind,
            parameters,
            block_count: self.count(of_eye("block_count"), MAX_LAYERS)?,
            embedding_length: self.count(of_eye("embedding_length"), MAX_WIDTH)?,
            feed_forward_length: self.count(of_eye("feed_forward_length"), 1 << 20)?,
            head_count: self.count(of_eye("attention.head_count"), MAX_HEADS)?,
            image_size: u32::try_from(size)
                .ok()
                .filter(|_| size <= MAX_IMAGE_SIZE)
                .ok_or(GgufError::OutOfRange { key: image_size, value: size })?,
            patch_size: self.count(of_eye("patch_size"), 65_535)?,
            max_pixels: self.number(&of_eye("image_max_pixels"))?,
        })
    }
}

/// Each number in 32 bits, as it is read.
fn check_types(metadata: &Metadata) -> Result<(), GgufError> {
    for (key, value) in &metadata.values {
        let Some(name) = key.strip_prefix("clip.") else { continue };
        let signed = name == "minicpmv_version";
        let fraction = name.ends_with("layer_norm_epsilon") || name == "vision.swiglu_clamp";
        let truth = name.starts_with("has_") || name.starts_with("use_");
        let text = name.ends_with("projector_type") || name.ends_with("merge_type") || name.ends_with("variant");
        let right = match value {
            Value::Unsigned { bits, .. } => !fraction && !truth && !text && *bits == if signed { 31 } else { 32 },
            Value::Float(value) => fraction && value.is_finite(),
            Value::Bool(_) => !fraction && !text,
            Value::Text(_) => text || (!fraction && !truth),
            Value::Array { .. } => !fraction && !truth && !text,
            Value::Other => false,
        };
        if !right {
            return Err(GgufError::WrongType { key: key.clone() });
        }
    }
    Ok(())
}

/// Heads share a vector evenly, and heads of keys are shared evenly by heads.
fn check_heads(metadata: &Metadata, part: &str, width: u32, heads: u32) -> Result<(), GgufError> {
    let key = |name: &str| format!("clip.{part}.attention.{name}");
    if metadata.number(&key("head_dim"))?.is_none() && !width.is_multiple_of(heads) {
        return Err(GgufError::OutOfRange { key: key("head_count"), value: u64::from(heads) });
    }
    match metadata.number(&key("head_count_kv"))? {
        Some(value) if value == 0 || u64::from(heads) % value != 0 => {
            Err(GgufError::OutOfRange { key: key("head_count_kv"), value })
        }
        _ => Ok(()),
    }
}

/// The ear that some have beside the eye. It is loaded, and nothing is ever played to it.
fn check_ear(metadata: &Metadata) -> Result<(), GgufError> {
    let of_ear = |name: &str| format!("clip.audio.{name}");
    let width = metadata.count(of_ear("embedding_length"), MAX_WIDTH)?;
    let heads = metadata.count(of_ear("attention.head_count"), MAX_HEADS)?;
    metadata.count(of_ear("block_count"), MAX_LAYERS)?;
    metadata.count(of_ear("num_mel_bins"), 4_096)?;
    check_heads(metadata, "audio", width, heads)
}

/// Three colours at least, each a number; what is divided by is not zero.
fn check_colours<R: Read + Seek>(metadata: &Metadata, reader: &mut Reader<R>, key: &str) -> Result<(), GgufError> {
    let wrong = || GgufError::WrongType { key: key.to_owned() };
    match metadata.values.get(key) {
        None => Err(GgufError::Missing { key: key.to_owned() }),
        Some(Value::Array { kind: reader::FLOAT32, count: count @ 3..=16, position }) => {
            let numbers = reader.array_of_u32(*position, *count)?;
            let good = |bits: u32| {
                let number = f32::from_bits(bits);
                number.is_finite() && (!key.ends_with("std") || number != 0.0)
            };
            if numbers.into_iter().all(good) { Ok(()) } else { Err(wrong()) }
        }
        Some(_) => Err(wrong()),
    }
}

/// A list that need not be there.
fn check_list<R: Read + Seek>(
    metadata: &Metadata,
    reader: &mut Reader<R>,
    key: String,
    most: u64,
) -> Result<(), GgufError> {
    match metadata.values.get(&key) {
        None => Ok(()),
        Some(Value::Array { kind: reader::INT32, count: count @ 0..=MAX_LIST, position }) => {
            let numbers = reader.array_of_u32(*position, *count)?;
            // A negative number would be a very large one.
            match numbers.into_iter().map(u64::from).find(|number| *number > most) {
                Some(value) => Err(GgufError::OutOfRange { key, value }),
                None => Ok(()),
            }
        }
        Some(_) => Err(GgufError::WrongType { key }),
    }
}

fn unusable(detail: &str) -> GgufError {
    GgufError::UnusableProjector { detail: detail.to_owned() }
}

fn out_of_range(key: &str, value: u64) -> GgufError {
    GgufError::OutOfRange { key: key.to_owned(), value }
}

#[cfg(test)]
mod tests;
