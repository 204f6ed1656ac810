//! Tests of the GGUF reader: a small good file, and every way to spoil it.

use std::io::Cursor;

use proptest::prelude::*;

use super::fixture::{FIRST_TENSOR_BYTES, good};
use super::*;

#[test]
fn a_good_file_tells_what_the_model_is() {
    let gguf = good().read().unwrap();
    assert_eq!(gguf.architecture, "llama");
    assert_eq!(gguf.name.as_deref(), Some("Tiny"));
    assert_eq!(gguf.quantization, "Q4_1");
    assert_eq!(gguf.parameters, 64 * 9 + 16);
    assert_eq!((gguf.context_length, gguf.block_count, gguf.embedding_length), (2_048, 2, 64));
    assert_eq!((gguf.bos_token.as_deref(), gguf.eos_token.as_deref()), (Some("<s>"), Some("</s>")));
}

#[test]
fn what_a_model_was_made_for_is_told() {
    let gguf = good().read().unwrap();
    assert!(!gguf.embeds && !gguf.sees);
    let gguf = good().with_u32("llama.pooling_type", 1).with_u32("llama.vision.block_count", 12).read().unwrap();
    assert!(gguf.embeds && gguf.sees && !gguf.ranks);
    let gguf = good().with_u32("llama.pooling_type", 4).read().unwrap();
    assert!(gguf.ranks && !gguf.embeds);
}

#[test]
fn a_file_cut_anywhere_is_refused() {
    let bytes = good().bytes();
    for length in 0..bytes.len() {
        let result = Gguf::read(Cursor::new(&bytes[..length]));
        assert!(result.is_err(), "cut at {length} of {}", bytes.len());
    }
}

#[test]
fn counts_beyond_reason_are_refused_before_anything_is_read_for_them() {
    let mut bytes = good().bytes();
    bytes[8..16].copy_from_slice(&u64::MAX.to_le_bytes());
    assert!(matches!(Gguf::read(Cursor::new(&bytes)), Err(GgufError::TooMany { what: "tensors", .. })));
    let mut bytes = good().bytes();
    bytes[16..24].copy_from_slice(&(1_u64 << 40).to_le_bytes());
    assert!(matches!(Gguf::read(Cursor::new(&bytes)), Err(GgufError::TooMany { what: "keys", .. })));
    let mut bytes = good().bytes();
    bytes[24..32].copy_from_slice(&u64::MAX.to_le_bytes());
    assert!(matches!(Gguf::read(Cursor::new(&bytes)), Err(GgufError::TooLong { .. })));
}

#[test]
fn arrays_longer_than_the_file_are_refused() {
    for (kind, count) in [(8_u32, 10_000_000_u64), (4, 10_000_000), (0, u64::MAX), (12, 1 << 61)] {
        let mut value = 9_u32.to_le_bytes().to_vec();
        value.extend(kind.to_le_bytes());
        value.extend(count.to_le_bytes());
        let error = good().with("llama.array", value).read().unwrap_err();
        assert!(matches!(error, GgufError::Truncated { .. } | GgufError::TooMany { .. }), "{error}");
    }
}

#[test]
fn arrays_of_arrays_and_unknown_types_are_refused() {
    let nested = [9_u32.to_le_bytes(), 9_u32.to_le_bytes(), 1_u32.to_le_bytes(), 0_u32.to_le_bytes()].concat();
    assert_eq!(good().with("llama.nested", nested).refusal(), "`llama.nested` has the unknown type 9");
    let unknown = 77_u32.to_le_bytes().to_vec();
    assert_eq!(good().with("llama.odd", unknown).refusal(), "`llama.odd` has the unknown type 77");
}

#[test]
fn keys_and_tensors_that_are_there_twice_are_refused() {
    let mut file = good();
    let again = file.keys[0].clone();
    file.keys.push(again);
    assert_eq!(file.refusal(), "`general.architecture` is there twice");
    let mut file = good();
    file.tensors[1].0 = file.tensors[0].0.clone();
    assert_eq!(file.refusal(), "the tensor `token_embd.weight` is there twice");
}

#[test]
fn alignments_that_break_arithmetic_are_refused() {
    for alignment in [0, 3, 48, 1 << 31] {
        let error = good().with_u32("general.alignment", alignment).read().unwrap_err();
        assert!(matches!(error, GgufError::Alignment { .. }), "{alignment}: {error}");
    }
    let error = good().with_text("general.alignment", "32").read().unwrap_err();
    assert!(matches!(error, GgufError::WrongType { .. }));
}

#[test]
fn another_alignment_is_kept() {
    let mut file = good().with_u32("general.alignment", 64);
    let padded = FIRST_TENSOR_BYTES.next_multiple_of(64);
    file.alignment = 64;
    file.tensors[1].3 = padded;
    file.data = usize::try_from(padded).unwrap() + 64;
    file.read().unwrap();
}

#[test]
fn tensors_of_impossible_shapes_are_refused() {
    for (dimensions, kind, expected) in [
        (vec![64, 0], 2, "has a dimension of zero"),
        (vec![0], 0, "has a dimension of zero"),
        (vec![], 0, "has 0 dimensions"),
        (vec![1; 5], 0, "has 5 dimensions"),
        (vec![33], 2, "has rows of 33, not a multiple of 32"),
        (vec![32, u64::MAX / 16], 0, "is too large"),
        (vec![1 << 32, 1 << 31], 0, "is too large"),
        (vec![1 << 62], 0, "is too large"),
        (vec![32], 4, "is of the unknown type 4"),
        (vec![32], 1_000, "is of the unknown type 1000"),
    ] {
        let file = good().with_tensor("bad", &dimensions, kind, 416);
        let refusal = file.refusal();
        assert!(refusal.contains(expected), "{dimensions:?} of {kind}: {refusal}");
    }
}

#[test]
fn tensors_outside_the_file_or_over_one_another_are_refused() {
    let mut file = good();
    file.data -= 1;
    assert!(matches!(file.read(), Err(GgufError::TensorOutsideFile { .. })), "one byte short");
    let mut file = good();
    file.tensors[1].3 = u64::MAX - 31;
    assert!(matches!(file.read(), Err(GgufError::Tensor { .. })), "far away");
    let mut file = good();
    file.tensors[1].3 = 0;
    assert!(matches!(file.read(), Err(GgufError::Tensor { .. })), "on top of the first");
}

#[test]
fn counts_that_an_engine_would_divide_by_are_refused_when_zero() {
    for key in ["llama.block_count", "llama.context_length", "llama.embedding_length", "llama.attention.head_count"] {
        let error = good().with_u32(key, 0).read().unwrap_err();
        assert!(matches!(error, GgufError::OutOfRange { .. }), "{key}: {error}");
    }
}

/// An array of 32-bit numbers.
fn array(kind: u32, numbers: &[u32]) -> Vec<u8> {
    let mut value = [9_u32.to_le_bytes(), kind.to_le_bytes()].concat();
    value.extend((numbers.len() as u64).to_le_bytes());
    value.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
    value
}

#[test]
fn heads_may_differ_from_layer_to_layer() {
    let file =
        good().with("llama.attention.head_count", array(5, &[4, 8])).with_u32("llama.attention.head_count_kv", 2);
    file.read().unwrap();
    file.clone().with("llama.attention.head_count_kv", array(4, &[0, 2])).read().unwrap();
    for (key, value) in [
        ("llama.attention.head_count", array(5, &[0, 0])),
        ("llama.attention.head_count", array(5, &[4, u32::MAX])),
        ("llama.attention.head_count", array(5, &[])),
        ("llama.attention.head_count", array(5, &vec![1; 5_000])),
        ("llama.attention.head_count", array(4, &[4, 100_000])),
        ("llama.attention.head_count_kv", array(4, &[0, 0])),
        ("llama.attention.head_count_kv", array(4, &[3, 3])),
    ] {
        let error = file.clone().with(key, value).read().unwrap_err();
        assert!(matches!(error, GgufError::OutOfRange { .. }), "{key}: {error}");
    }
    let error = file.with("llama.attention.head_count", array(6, &[4, 4])).read().unwrap_err();
    assert!(matches!(error, GgufError::WrongType { .. }), "{error}");
}

#[test]
fn heads_that_do_not_divide_what_they_share_are_refused() {
    for (key, value) in [
        ("llama.attention.head_count_kv", 0),
        ("llama.attention.head_count_kv", 3),
        ("llama.attention.head_count", 65),
        ("llama.attention.head_count", u32::MAX),
        ("llama.attention.key_length", 0),
        ("llama.attention.value_length", 0),
        ("llama.attention.key_length", u32::MAX),
    ] {
        let error = good().with_u32(key, value).read().unwrap_err();
        assert!(matches!(error, GgufError::OutOfRange { .. }), "{key} = {value}: {error}");
    }
    good().with_u32("llama.attention.head_count", 128).with_u32("llama.attention.key_length", 16).read().unwrap();
}

#[test]
fn only_models_without_attention_have_no_heads() {
    let mut file = good().with_text("general.architecture", "mamba");
    for (key, _) in &mut file.keys {
        *key = key.replace("llama.", "mamba.");
    }
    let file = file.with_u32("mamba.attention.head_count", 0);
    file.read().unwrap();
    for key in ["ssm.conv_kernel", "ssm.inner_size", "ssm.state_size", "ssm.time_step_rank"] {
        let error = file.clone().with_u32(&format!("mamba.{key}"), 0).read().unwrap_err();
        assert!(matches!(error, GgufError::OutOfRange { .. }), "{key}: {error}");
    }
}

#[test]
fn experts_that_cannot_be_are_refused() {
    let file = good().with_u32("llama.expert_count", 8).with_u32("llama.expert_used_count", 2);
    file.read().unwrap();
    for (key, value) in [
        ("llama.expert_used_count", 0),
        ("llama.expert_used_count", 9),
        ("llama.expert_count", 0),
        ("llama.expert_count", 513),
    ] {
        let error = file.clone().with_u32(key, value).read().unwrap_err();
        assert!(matches!(error, GgufError::OutOfRange { .. }), "{key} = {value}: {error}");
    }
}

#[test]
fn lists_of_a_vocabulary_belong_together() {
    good()
        .with("tokenizer.ggml.scores", array(6, &[0; 3]))
        .with("tokenizer.ggml.token_type", array(5, &[1; 3]))
        .read()
        .unwrap();
    let short = good().with("tokenizer.ggml.scores", array(6, &[0; 2]));
    assert!(matches!(short.read(), Err(GgufError::OutOfRange { value: 2, .. })));
    let short = good().with("tokenizer.ggml.token_type", array(5, &[0; 2]));
    assert!(matches!(short.read(), Err(GgufError::OutOfRange { value: 2, .. })));
    let odd = good().with("tokenizer.ggml.scores", array(4, &[0; 3]));
    assert!(matches!(odd.read(), Err(GgufError::WrongType { .. })));
    let odd = good().with_u32("tokenizer.ggml.merges", 1);
    assert!(matches!(odd.read(), Err(GgufError::WrongType { .. })));
}

#[test]
fn texts_longer_than_reason_are_refused_before_they_are_read() {
    for length in [u64::MAX, 1 << 63, MAX_STRING_BYTES + 1] {
        let mut value = 8_u32.to_le_bytes().to_vec();
        value.extend(length.to_le_bytes());
        let error = good().with("llama.text", value).read().unwrap_err();
        assert!(matches!(error, GgufError::TooLong { what: "a value", .. }), "{length}: {error}");
        let mut value = [9_u32.to_le_bytes(), 8_u32.to_le_bytes()].concat();
        value.extend(1_u64.to_le_bytes());
        value.extend(length.to_le_bytes());
        let error = good().with("llama.texts", value).read().unwrap_err();
        assert!(matches!(error, GgufError::TooLong { what: "a text in an array", .. }), "{length}: {error}");
    }
    let error = good().with_tensor(&"a".repeat(64), &[16], 0, 416).read().unwrap_err();
    assert!(matches!(error, GgufError::TooLong { what: "the name of a tensor", .. }), "{error}");
    let mut spoilt = 8_u32.to_le_bytes().to_vec();
    spoilt.extend(1_u64.to_le_bytes());
    spoilt.push(0xff);
    assert!(matches!(good().with("general.name", spoilt).read(), Err(GgufError::NotText { .. })));
}

#[test]
fn what_is_missing_is_named() {
    for key in ["general.architecture", "llama.context_length", "llama.block_count", "tokenizer.ggml.tokens"] {
        assert_eq!(good().without(key).refusal(), format!("`{key}` is missing"));
    }
}

#[test]
fn files_that_are_no_single_model_are_refused() {
    assert!(matches!(good().with_text("general.type", "adapter").read(), Err(GgufError::NotAModel { .. })));
    assert!(matches!(good().with_u32("split.count", 3).read(), Err(GgufError::Split { parts: 3 })));
    let mut file = good();
    file.tensors.clear();
    assert!(matches!(file.read(), Err(GgufError::NoTensors)));
    file.version = 4;
    assert!(matches!(file.read(), Err(GgufError::Version { version: 4 })));
    file.version = 3_u32.swap_bytes();
    assert!(matches!(file.read(), Err(GgufError::BigEndian)));
    assert!(matches!(Gguf::read(Cursor::new(b"GGML and more".as_slice())), Err(GgufError::NotGguf)));
    assert!(matches!(Gguf::read(Cursor::new([].as_slice())), Err(GgufError::Truncated { .. })));
}

#[test]
fn ids_of_tokens_outside_the_vocabulary_are_none() {
    let gguf = good().with_u32("tokenizer.ggml.bos_token_id", 3).with_u32("tokenizer.ggml.eos_token_id", u32::MAX);
    let gguf = gguf.read().unwrap();
    assert_eq!((gguf.bos_token, gguf.eos_token), (None, None));
}

/// A file with everything that is looked at.
fn rich() -> Vec<u8> {
    good()
        .with("llama.attention.head_count", array(5, &[4, 8]))
        .with("llama.attention.head_count_kv", array(4, &[0, 2]))
        .with_u32("llama.expert_count", 8)
        .with_u32("llama.expert_used_count", 2)
        .with("tokenizer.ggml.scores", array(6, &[0; 3]))
        .with("tokenizer.ggml.token_type", array(5, &[1; 3]))
        .with_u32("general.alignment", 32)
        .bytes()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_spoilt_file_never_panics(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let mut bytes = rich();
        for (index, byte) in changes {
            let index = index.index(bytes.len());
            bytes[index] = byte;
        }
        let _ = Gguf::read(Cursor::new(bytes));
    }

    #[test]
    fn numbers_at_their_edges_never_panic(
        at in any::<prop::sample::Index>(),
        number in prop_oneof![
            Just(0_u64), Just(1), Just(u64::MAX), Just(u64::MAX - 31), Just(1 << 63), Just(1 << 32), Just(1 << 31)
        ],
    ) {
        let mut bytes = rich();
        let at = at.index(bytes.len() - 8);
        bytes[at..at + 8].copy_from_slice(&number.to_le_bytes());
        let _ = Gguf::read(Cursor::new(bytes));
    }

    #[test]
    fn noise_is_no_model(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        prop_assert!(Gguf::read(Cursor::new([MAGIC.as_slice(), &[3, 0, 0, 0], &bytes].concat())).is_err());
    }
}
