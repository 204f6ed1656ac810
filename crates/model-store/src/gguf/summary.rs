//! All that a GGUF file says, as JSON: what `/api/show` tells of a model.

use std::io::{Read, Seek, SeekFrom};

use indexmap::IndexMap;
use serde_json::Number;

use super::reader::{self, Reader};
use super::{GgufError, MAX_KEY_BYTES, MAX_KEYS, MAX_STRING_BYTES, MAX_TENSORS, limited, tensor};
use stoa_model::json::Json;

/// The keys and tensors of a file, in its order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// An array that is too long is null.
    pub metadata: IndexMap<String, Json>,
    pub tensors: Vec<TensorSummary>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorSummary {
    pub name: String,
    /// As ggml calls it: `Q4_K`.
    pub kind: &'static str,
    pub shape: Vec<u64>,
}

impl Summary {
    /// Reads a file that [`super::Gguf::read`] has taken, or a part of a model that is none, such as a projector.
    /// `longest_array` is how many elements an array may have to be told.
    pub fn read<R: Read + Seek>(mut file: R, longest_array: u64) -> Result<Self, GgufError> {
        let length = file.seek(SeekFrom::End(0))?;
        file.seek(SeekFrom::Start(0))?;
        let mut reader = Reader::new(file, length);
        super::read_version(&mut reader)?;
        let tensors = limited("tensors", reader.u64()?, MAX_TENSORS)?;
        let keys = limited("keys", reader.u64()?, MAX_KEYS)?;
        let mut metadata = IndexMap::new();
        for _ in 0..keys {
            let key = reader.string("a key", MAX_KEY_BYTES)?;
            let value = value(&mut reader, &key, longest_array)?;
            if metadata.insert(key.clone(), value).is_some() {
                return Err(GgufError::DuplicateKey { key });
            }
        }
        let tensors = (0..tensors)
            .map(|_| {
                let info = tensor::Info::read(&mut reader)?;
                Ok(TensorSummary { name: info.name, kind: tensor::type_name(info.kind), shape: info.shape })
            })
            .collect::<Result<_, GgufError>>()?;
        Ok(Self { metadata, tensors })
    }
}

fn value<R: Read + Seek>(reader: &mut Reader<R>, key: &str, longest_array: u64) -> Result<Json, GgufError> {
    let kind = reader.u32()?;
    if kind != reader::ARRAY {
        return scalar(reader, key, kind);
    }
    let start = reader.position();
    let reader::Value::Array { kind, count, position } = reader.array(key)? else { return Ok(Json::Null) };
    if count > longest_array {
        return Ok(Json::Null);
    }
    let end = reader.position();
    debug_assert!(start < position && position <= end);
    reader.seek(position)?;
    let items = (0..count).map(|_| scalar(reader, key, kind)).collect::<Result<_, _>>()?;
    reader.seek(end)?;
    Ok(Json::Array(items))
}

fn scalar<R: Read + Seek>(reader: &mut Reader<R>, key: &str, kind: u32) -> Result<Json, GgufError> {
    Ok(match kind {
        0 => Json::Number(u8::from_le_bytes(reader.bytes()?).into()),
        1 => Json::Number(i8::from_le_bytes(reader.bytes()?).into()),
        2 => Json::Number(u16::from_le_bytes(reader.bytes()?).into()),
        3 => Json::Number(i16::from_le_bytes(reader.bytes()?).into()),
        reader::UINT32 => Json::Number(reader.u32()?.into()),
        reader::INT32 => Json::Number(i32::from_le_bytes(reader.bytes()?).into()),
        reader::FLOAT32 => float(f64::from(f32::from_le_bytes(reader.bytes()?))),
        7 => Json::Bool(reader.bytes::<1>()? != [0]),
        reader::STRING => Json::Text(reader.lossy_string(MAX_STRING_BYTES)?),
        10 => Json::Number(reader.u64()?.into()),
        11 => Json::Number(i64::from_le_bytes(reader.bytes()?).into()),
        12 => float(f64::from_le_bytes(reader.bytes()?)),
        kind => return Err(GgufError::UnknownValueType { key: key.to_owned(), kind }),
    })
}

/// JSON has no word for infinity.
fn float(value: f64) -> Json {
    Number::from_f64(value).map_or(Json::Null, Json::Number)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use proptest::prelude::*;

    use super::super::fixture::good;
    use super::*;

    #[test]
    fn everything_is_told_in_the_order_of_the_file() {
        let file = good().with("llama.rope.freq_base", [6_u32.to_le_bytes(), 0.5_f32.to_le_bytes()].concat());
        let summary = Summary::read(Cursor::new(file.bytes()), 5).unwrap();
        let text = Json::Object(summary.metadata).to_string();
        assert_eq!(
            text,
            r#"{"general.architecture":"llama","general.name":"Tiny","general.file_type":3,"llama.context_length":2048,"llama.block_count":2,"llama.embedding_length":64,"llama.attention.head_count":4,"tokenizer.ggml.tokens":["<unk>","<s>","</s>"],"tokenizer.ggml.bos_token_id":1,"tokenizer.ggml.eos_token_id":2,"tokenizer.chat_template":"{{ messages }}<think>","llama.rope.freq_base":0.5}"#
        );
        let tensors: Vec<(&str, &str, &[u64])> =
            summary.tensors.iter().map(|tensor| (tensor.name.as_str(), tensor.kind, tensor.shape.as_slice())).collect();
        assert_eq!(tensors, [("token_embd.weight", "Q4_0", [64, 9].as_slice()), ("output_norm.weight", "F32", &[16])]);
    }

    #[test]
    fn arrays_that_are_too_long_are_null() {
        let summary = Summary::read(Cursor::new(good().bytes()), 2).unwrap();
        assert_eq!(summary.metadata["tokenizer.ggml.tokens"], Json::Null);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1_000))]

        #[test]
        fn a_spoilt_file_never_panics(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
            let mut bytes = good().bytes();
            for (index, byte) in changes {
                let index = index.index(bytes.len());
                bytes[index] = byte;
            }
            let _ = Summary::read(Cursor::new(bytes), 1_000_000);
        }
    }
}
