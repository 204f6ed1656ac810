//! The door on both engines: who gets in, who is thrown out, and how soon.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod accounts;
mod door;
mod functions;
mod key_sets;
mod replicas;
mod setup;
mod sign_in;
mod support;
mod watch;
