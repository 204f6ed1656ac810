//! The listener over real sockets: slow, oversized and idle clients, bodies, and the drain.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "the harness of a test may fail the test")]
#[path = "real/bodies.rs"]
mod bodies;
#[path = "real/clients.rs"]
mod clients;
#[path = "real/drain.rs"]
mod drain;
#[path = "real/harness.rs"]
mod harness;
#[path = "real/tls.rs"]
mod tls;
