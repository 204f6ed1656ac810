//! The crate's own generator of small models.

pub(crate) use stoa_model_store::gguf::fixture;
