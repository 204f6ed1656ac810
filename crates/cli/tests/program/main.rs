//! The program as its operator meets it: real processes, real signals, a real database.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test that cannot go on fails"
)]

mod bad_input;
mod engines;
mod function_rights;
mod functions;
mod hostile_functions;
mod killed_pulls;
mod metrics;
mod models;
mod objects;
mod small_disk;
mod start;
mod support;
mod survival;
mod unpacked_functions;
