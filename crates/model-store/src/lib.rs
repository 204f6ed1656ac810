//! Models as files: what a GGUF file says, the store that processes share, and the registries that models come from.

pub mod gguf;
pub mod registry;
pub mod store;

pub use registry::{PullEvent, PushEvent, Registries, RegistryError, RegistryOptions};
pub use store::{Digest, ModelName, Store, StoreError, StoredModel};
