//! Models that run on this machine: where they come from, the store, the worker processes, and who gets to use them when.

pub mod gguf;
pub mod json;
pub mod modelfile;
pub mod options;
pub mod protocol;
pub mod registry;
pub mod runtime;
pub mod store;
pub mod template;
pub mod text;

pub use registry::{PullEvent, PushEvent, Registries, RegistryError, RegistryOptions};
pub use runtime::{
    EmbedRequest, Embeddings, LaneState, LaneStatus, LocalModel, Runtime, RuntimeOptions, RuntimeStatus, WorkerProgram,
};
pub use store::{Digest, ModelName, Store, StoreError, StoredModel};
