//! Tests with the real model, through the whole path: store, queue, worker process, llama.cpp.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test may fail where it stands, and its support is no test by itself"
)]

mod adapters;
mod answers;
mod failures;
mod files;
mod forms;
mod kills;
mod life;
mod local;
mod locked;
mod many;
mod orphans;
mod packing;
mod ranker;
mod rerank;
mod room;
mod seer;
mod support;
mod vision;
