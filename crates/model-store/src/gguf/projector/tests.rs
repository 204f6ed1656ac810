//! What makes a projector good, and how files that are none are told.

use std::io::Cursor;

use proptest::prelude::*;

use super::super::fixture::{File, eye};
use super::*;

fn refusal(file: &File) -> String {
    Projector::read(Cursor::new(file.bytes())).unwrap_err().to_string()
}

#[test]
fn a_good_one_is_read() {
    let projector = Projector::read(Cursor::new(eye().bytes())).unwrap();
    assert_eq!((&*projector.kind, projector.image_size, projector.patch_size), ("mlp", 8, 4));
    assert_eq!((projector.block_count, projector.head_count, projector.embedding_length), (2, 2, 8));
    assert_eq!(projector.patches(), 4);
    let any_size = eye().with_u32("clip.vision.image_size", 0);
    assert_eq!(Projector::read(Cursor::new(any_size.bytes())).unwrap().patches(), 0);
}

#[test]
fn numbers_that_the_engine_divides_by_or_reserves_for_are_refused() {
    for (key, value) in [
        ("vision.patch_size", 0),
        ("vision.patch_size", 9),
        ("vision.patch_size", 65_536),
        ("vision.image_size", 8_193),
        ("vision.image_size", 3),
        ("vision.block_count", 0),
        ("vision.block_count", 1_025),
        ("vision.embedding_length", 0),
        ("vision.feed_forward_length", 0),
        ("vision.attention.head_count", 0),
        ("vision.attention.head_count", 3),
        ("vision.attention.head_count_kv", 0),
        ("vision.attention.head_count_kv", 4),
        ("vision.projector.scale_factor", 0),
        ("vision.spatial_merge_size", u32::MAX),
        ("vision.window_size", 0),
        ("vision.preproc_max_tiles", 257),
        ("vision.image_max_pixels", u32::MAX),
    ] {
        let refusal = refusal(&eye().with_u32(&format!("clip.{key}"), value));
        assert!(refusal.contains("which no model can have"), "{key} {value}: {refusal}");
    }
    let twisted = eye().with_u32("clip.vision.image_min_pixels", 9).with_u32("clip.vision.image_max_pixels", 8);
    assert!(refusal(&twisted).contains("image_min_pixels"));
}

#[test]
fn values_of_another_type_would_abort_the_engine() {
    let long = [10_u32.to_le_bytes().to_vec(), 4_u64.to_le_bytes().to_vec()].concat();
    let wide = [12_u32.to_le_bytes().to_vec(), 1.0_f64.to_le_bytes().to_vec()].concat();
    for (key, value) in [
        ("vision.patch_size", long.clone()),
        ("vision.image_mean", long.clone()),
        ("vision.attention.layer_norm_epsilon", wide),
        ("use_gelu", long.clone()),
        ("has_vision_encoder", long.clone()),
        ("projector_type", long),
    ] {
        let refusal = refusal(&eye().with(&format!("clip.{key}"), value));
        assert!(refusal.contains("of the wrong type"), "{key}: {refusal}");
    }
    let not_a_number = eye().with_f32("clip.vision.attention.layer_norm_epsilon", f32::NAN);
    assert!(refusal(&not_a_number).contains("of the wrong type"));
    assert!(refusal(&eye().with_f32s("clip.vision.image_std", &[1.0, 0.0, 1.0])).contains("of the wrong type"));
    assert!(refusal(&eye().with_f32s("clip.vision.image_mean", &[1.0, 0.0])).contains("of the wrong type"));
    assert!(refusal(&eye().with_i32s("clip.vision.feature_layer", &[-1])).contains("feature_layer"));
}

#[test]
fn what_is_no_eye_is_refused() {
    assert!(refusal(&super::super::fixture::good()).contains("no projector"));
    assert!(refusal(&eye().with_bool("clip.has_vision_encoder", false)).contains("sees nothing"));
    assert!(refusal(&eye().without("clip.has_vision_encoder")).contains("sees nothing"));
    assert!(refusal(&eye().with_text("clip.projector_type", "ultravox")).contains("not known"));
    assert!(refusal(&eye().without("clip.projector_type")).contains("missing"));
    assert!(refusal(&eye().with_bool("clip.has_audio_encoder", true)).contains("clip.audio.embedding_length"));
    assert!(refusal(&eye().with_bool("clip.has_gen_audio_encoder", true)).contains("speaks"));
    assert!(refusal(&eye().with_u32("clip.vision.image_size", 12)).contains("fewer than the 9 patches"));
    let cut = eye().bytes();
    assert!(Projector::read(Cursor::new(&cut[..cut.len() - 40])).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn a_spoilt_one_is_refused_or_still_sound(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut bytes = eye().bytes();
        for (index, byte) in changes {
            let index = index.index(bytes.len());
            bytes[index] = byte;
        }
        if let Ok(projector) = Projector::read(Cursor::new(bytes)) {
            prop_assert!(projector.patch_size > 0 && projector.head_count > 0 && projector.block_count > 0);
            prop_assert!(projector.image_size == 0 || projector.patches() > 0);
        }
    }
}
