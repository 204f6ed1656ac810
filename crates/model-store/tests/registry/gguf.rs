//! The crate's own generator of small models, with what it expects around it.

pub(crate) use stoa_model_store::gguf::{Gguf, GgufError};

pub(crate) const MAGIC: [u8; 4] = *b"GGUF";

#[path = "../../src/gguf/fixture.rs"]
#[expect(dead_code, reason = "the tests of the header spoil more")]
pub(crate) mod fixture;
