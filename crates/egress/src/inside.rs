//! Hosts that are in this process: what would be a connection is a pipe.

use crate::stream::BoxedStream;
use crate::target::Target;

/// Knows hosts that no network leads to.
pub trait Inside: Send + Sync {
    /// A connection to `target`, spoken to in HTTP/1.1; none for what is elsewhere.
    fn connect(&self, target: &Target) -> Option<BoxedStream>;
}
