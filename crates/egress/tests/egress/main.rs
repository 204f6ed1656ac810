//! The way out against real sockets: a fake resolver decides what names mean, small servers answer.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a helper of a test fails by panicking")]

mod connections;
mod limits;
mod proxies;
mod redirects;
mod refusals;
mod secure;
mod streams;
mod support;
