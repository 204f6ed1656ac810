//! The worker: one process, one model, llama.cpp. Nothing of llama.cpp runs in the server's own process.

mod confinement;
mod cores;
mod devices;
mod engine;
mod link;
mod processor;
mod quantize;
mod raw;
mod serving;
mod worker;

pub use raw::{RawDecode, RawDecodeError, RawLoad, raw_decode};
pub use worker::{run_worker, run_worker_with};

/// Workers of this program compute on devices, too, where there are any.
pub const USES_DEVICES: bool = cfg!(devices);
