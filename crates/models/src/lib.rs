//! Models that run on this machine: prompts, answers, the worker processes, and who gets to use them when.

pub mod machine;
pub mod memory;
pub mod modelfile;
pub mod options;
pub mod protocol;
pub mod runtime;
pub mod suggestions;
pub mod template;
pub mod text;

pub use memory::MemoryBound;
pub use runtime::{
    DeviceChoice, DeviceId, DeviceShare, DeviceStatus, EmbedRequest, Embeddings, EngineDevice, EngineStatus, LaneState,
    LaneStatus, LocalModel, QuantizeError, RerankRequest, Reranked, Runtime, RuntimeOptions, RuntimeStatus,
    RuntimeTotals, WorkerProgram,
};
