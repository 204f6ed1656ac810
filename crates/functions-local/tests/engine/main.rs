//! The engine with real processes: Python and Node.js in real sandboxes.

#![expect(clippy::panic, clippy::unwrap_used, reason = "a helper of a test fails by panicking")]

mod build;
mod confinement;
mod jobs;
mod lifecycle;
mod limits;
mod orphans;
mod pool;
mod requests;
mod serving;
mod support;
mod volumes;
mod ways;
