//! Models as files: what a GGUF file says, the store that processes share, and the registries that models come from.

pub mod gguf;
pub mod pulls;
pub mod registry;
pub mod search;
pub mod store;

pub use pulls::{Pull, PullFailure, PullState, Pulls};
pub use registry::{PullEvent, PushEvent, Registries, RegistryError, RegistryOptions};
pub use search::{FoundModel, ModelSearch, SearchError};
pub use store::{Digest, ModelContent, ModelName, Store, StoreError, StoredAdapter, StoredModel, StoredProjector};
