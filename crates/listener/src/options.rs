//! The caps and time-outs of a listener, with defaults that suit a public address.

use std::time::Duration;

/// What a listener allows. Every field has a cap; there is no "unlimited".
#[derive(Debug, Clone)]
pub struct ListenerOptions {
    /// Connections open at once. Past it, new ones wait in the kernel's queue.
    pub max_connections: usize,
    /// Bytes of a request head (request line and fields). At least 8,192. Larger heads are answered 431.
    pub max_head_bytes: usize,
    /// Fields in a request head. More are answered 431.
    pub max_head_fields: usize,
    /// Streams open at once on one HTTP/2 connection.
    pub max_concurrent_streams: u32,
    /// Time from the first byte of a connection or of a head to the head's end.
    pub head_timeout: Duration,
    /// Time that a connection may stay open with no request in flight.
    pub idle_timeout: Duration,
    /// Time that a peer may leave the connection's output unread before it is cut.
    pub write_timeout: Duration,
    /// Time that streams in flight get to end once shutdown has begun.
    pub drain_timeout: Duration,
    /// Caps on a request body.
    pub body: BodyLimits,
}

impl Default for ListenerOptions {
    fn default() -> Self {
        Self {
            max_connections: 20_000,
            max_head_bytes: 32 * 1024,
            max_head_fields: 100,
            max_concurrent_streams: 256,
            head_timeout: Duration::from_secs(15),
            idle_timeout: Duration::from_secs(90),
            write_timeout: Duration::from_mins(1),
            drain_timeout: Duration::from_secs(25),
            body: BodyLimits::default(),
        }
    }
}

/// Caps on a request body.
#[derive(Debug, Clone, Copy)]
pub struct BodyLimits {
    /// Bytes of the body. Routes may set a lower cap of their own.
    pub max_bytes: u64,
    /// Time between two pieces of the body.
    pub stall_timeout: Duration,
    /// Time for the whole body, counted from the first read.
    pub total_timeout: Duration,
    /// Bytes of an unwanted body that are read and thrown away, so that a client that sends first and reads later sees
    /// the answer instead of a reset connection.
    pub linger_bytes: u64,
    /// Time for reading and throwing away an unwanted body.
    pub linger_timeout: Duration,
}

impl Default for BodyLimits {
    fn default() -> Self {
        Self {
            max_bytes: 8 * 1024 * 1024,
            stall_timeout: Duration::from_secs(30),
            total_timeout: Duration::from_mins(5),
            linger_bytes: 32 * 1024 * 1024,
            linger_timeout: Duration::from_secs(5),
        }
    }
}
