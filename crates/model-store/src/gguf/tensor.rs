//! A tensor's entry in the header, and how many bytes its weights take.

use std::io::{Read, Seek};

use super::reader::Reader;
use super::{GgufError, MAX_DIMENSIONS, MAX_TENSOR_NAME_BYTES};

pub(super) struct Info {
    pub(super) name: String,
    /// Bytes from the start of the data.
    pub(super) offset: u64,
    pub(super) size: u64,
    pub(super) elements: u64,
    /// As many numbers as there are dimensions, the row first.
    pub(super) shape: Vec<u64>,
    /// ggml's number of the type.
    pub(super) kind: u32,
}

impl Info {
    pub(super) fn read<R: Read + Seek>(reader: &mut Reader<R>) -> Result<Self, GgufError> {
        let name = reader.string("the name of a tensor", MAX_TENSOR_NAME_BYTES)?;
        let refuse = |detail: String| GgufError::Tensor { name: name.clone(), detail };

        let dimensions = reader.u32()?;
        if !(1..=MAX_DIMENSIONS).contains(&dimensions) {
            return Err(refuse(format!("has {dimensions} dimensions")));
        }
        let mut elements = 1_u64;
        let mut shape = Vec::new();
        for _ in 0..dimensions {
            let dimension = reader.u64()?;
            if dimension == 0 {
                return Err(refuse("has a dimension of zero".to_owned()));
            }
            shape.push(dimension);
            elements = elements
                .checked_mul(dimension)
                // ggml counts in signed numbers.
                .filter(|elements| i64::try_from(*elements).is_ok())
                .ok_or_else(|| refuse("is too large".to_owned()))?;
        }
        let kind = reader.u32()?;
        let (block, bytes) = layout(kind).ok_or_else(|| refuse(format!("is of the unknown type {kind}")))?;
        let row = shape.first().copied().unwrap_or(0);
        if row % block != 0 {
            return Err(refuse(format!("has rows of {row}, not a multiple of {block}")));
        }
        let size = (elements / block).checked_mul(bytes).ok_or_else(|| refuse("is too large".to_owned()))?;
        let offset = reader.u64()?;
        Ok(Self { name, offset, size, elements, shape, kind })
    }
}

/// Weights in one block of a type of ggml, and the bytes of a block; `None` for a type the engine does not load.
const fn layout(kind: u32) -> Option<(u64, u64)> {
    Some(match kind {
        0 | 26 => (1, 4),      // F32, I32
        1 | 25 | 30 => (1, 2), // F16, I16, BF16
        2 | 20 => (32, 18),    // Q4_0, IQ4_NL
        3 => (32, 20),         // Q4_1
        6 => (32, 22),         // Q5_0
        7 => (32, 24),         // Q5_1
        8 => (32, 34),         // Q8_0
        9 => (32, 36),         // Q8_1
        10 => (256, 84),       // Q2_K
        11 | 21 => (256, 110), // Q3_K, IQ3_S
        12 => (256, 144),      // Q4_K
        13 => (256, 176),      // Q5_K
        14 => (256, 210),      // Q6_K
        15 => (256, 292),      // Q8_K
        16 | 35 => (256, 66),  // IQ2_XXS, TQ2_0
        17 => (256, 74),       // IQ2_XS
        18 => (256, 98),       // IQ3_XXS
        19 => (256, 50),       // IQ1_S
        22 => (256, 82),       // IQ2_S
        23 => (256, 136),      // IQ4_XS
        24 => (1, 1),          // I8
        27 | 28 => (1, 8),     // I64, F64
        29 => (256, 56),       // IQ1_M
        34 => (256, 54),       // TQ1_0
        39 => (32, 17),        // MXFP4
        40 => (64, 36),        // NVFP4
        41 => (128, 18),       // Q1_0
        42 => (64, 18),        // Q2_0
        _ => return None,
    })
}

/// What ggml calls a type of `layout`.
pub(super) const fn type_name(kind: u32) -> &'static str {
    match kind {
        0 => "F32",
        1 => "F16",
        2 => "Q4_0",
        3 => "Q4_1",
        6 => "Q5_0",
        7 => "Q5_1",
        8 => "Q8_0",
        9 => "Q8_1",
        10 => "Q2_K",
        11 => "Q3_K",
        12 => "Q4_K",
        13 => "Q5_K",
        14 => "Q6_K",
        15 => "Q8_K",
        16 => "IQ2_XXS",
        17 => "IQ2_XS",
        18 => "IQ3_XXS",
        19 => "IQ1_S",
        20 => "IQ4_NL",
        21 => "IQ3_S",
        22 => "IQ2_S",
        23 => "IQ4_XS",
        24 => "I8",
        25 => "I16",
        26 => "I32",
        27 => "I64",
        28 => "F64",
        29 => "IQ1_M",
        30 => "BF16",
        34 => "TQ1_0",
        35 => "TQ2_0",
        39 => "MXFP4",
        40 => "NVFP4",
        41 => "Q1_0",
        42 => "Q2_0",
        _ => "unknown",
    }
}

/// How people call llama.cpp's `general.file_type`.
pub(super) fn file_type_name(file_type: Option<u64>) -> String {
    let name = match file_type {
        Some(0) => "F32",
        Some(1) => "F16",
        Some(2) => "Q4_0",
        Some(3) => "Q4_1",
        Some(7) => "Q8_0",
        Some(8) => "Q5_0",
        Some(9) => "Q5_1",
        Some(10) => "Q2_K",
        Some(11) => "Q3_K_S",
        Some(12) => "Q3_K_M",
        Some(13) => "Q3_K_L",
        Some(14) => "Q4_K_S",
        Some(15) => "Q4_K_M",
        Some(16) => "Q5_K_S",
        Some(17) => "Q5_K_M",
        Some(18) => "Q6_K",
        Some(19) => "IQ2_XXS",
        Some(20) => "IQ2_XS",
        Some(21) => "Q2_K_S",
        Some(22) => "IQ3_XS",
        Some(23) => "IQ3_XXS",
        Some(24) => "IQ1_S",
        Some(25) => "IQ4_NL",
        Some(26) => "IQ3_S",
        Some(27) => "IQ3_M",
        Some(28) => "IQ2_S",
        Some(29) => "IQ2_M",
        Some(30) => "IQ4_XS",
        Some(31) => "IQ1_M",
        Some(32) => "BF16",
        Some(36) => "TQ1_0",
        Some(37) => "TQ2_0",
        Some(38) => "MXFP4_MOE",
        Some(39) => "NVFP4",
        Some(40) => "Q1_0",
        Some(41) => "Q2_0",
        _ => "unknown",
    };
    name.to_owned()
}
