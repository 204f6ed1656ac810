//! Pulls and pushes with a real registry (Debian's `docker-registry`), and with a proxy before it that misbehaves.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test may fail where it stands, and its support is no test by itself"
)]

mod background;
mod downloads;
mod gguf;
mod processes;
mod proxy;
mod pulls;
mod pushes;
mod refusals;
mod search;
mod sign_in;
mod support;
