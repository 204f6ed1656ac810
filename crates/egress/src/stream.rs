//! Any byte stream that a connection can run over: TCP, TLS, TLS within a proxy's tunnel.

use tokio::io::{AsyncRead, AsyncWrite};

/// Both ways, and nothing more.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

pub type BoxedStream = Box<dyn Stream>;
