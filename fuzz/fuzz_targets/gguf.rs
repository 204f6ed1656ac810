//! Any bytes as a GGUF file: refused or read, never worse.

#![no_main]

use std::io::Cursor;

use libfuzzer_sys::fuzz_target;
use stoa_model_store::gguf::Gguf;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(gguf) = Gguf::read(Cursor::new(bytes)) {
        // What the engine divides by or loops over.
        assert!(gguf.context_length > 0 && gguf.block_count > 0 && gguf.embedding_length > 0 && gguf.parameters > 0);
    }
});
