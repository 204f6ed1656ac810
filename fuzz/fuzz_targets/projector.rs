//! Any bytes as the eye of a model: refused or read, never worse.

#![no_main]

use std::io::Cursor;

use libfuzzer_sys::fuzz_target;
use stoa_model_store::gguf::Projector;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(eye) = Projector::read(Cursor::new(bytes)) {
        // What the engine divides by or loops over.
        assert!(eye.patch_size > 0 && eye.head_count > 0 && eye.block_count > 0 && eye.embedding_length > 0);
        assert!(eye.image_size == 0 || eye.patches() > 0);
    }
});
