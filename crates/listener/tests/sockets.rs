//! The listener over real sockets: slow, oversized and idle clients, bodies, and the drain.

#[path = "real/bodies.rs"]
mod bodies;
#[path = "real/clients.rs"]
mod clients;
#[path = "real/drain.rs"]
mod drain;
#[path = "real/harness.rs"]
mod harness;
