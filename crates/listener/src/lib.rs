//! The way in: an HTTP/1.1 and HTTP/2 listener with caps and time-outs, in the clear or over TLS, on which an application is
//! a tower service.
//!
//! What a listener guarantees to the application behind it:
//!
//! - A request arrives whole in its head or not at all: the head is capped in bytes, in fields and in time.
//! - A request body is a [`RequestBody`]: capped in bytes and in time, and its errors say which cap was met ([`BodyError`]).
//! - The peer's address is in the request's extensions as [`PeerAddress`].
//! - A client that opens connections and says nothing, or stops reading, is cut; it never holds a connection for ever.
//! - On shutdown no new connection is accepted, idle ones are closed, streams in flight get
//!   [`ListenerOptions::drain_timeout`] to end, and what is left is cut.
//!
//! The application is any cloneable `tower::Service<Request<RequestBody>>`, an `axum::Router` for example, or a gateway
//! that stands in front of one.

mod activity;
mod bind;
mod body;
mod connection;
mod options;
mod serve;
mod tls;

pub use bind::BindError;
pub use body::{BodyError, RequestBody};
pub use options::{BodyLimits, ListenerOptions};
pub use serve::{Drained, Listener, PeerAddress};
pub use tls::{Tls, TlsError};

/// Any error that can cross threads, as tower and hyper use it.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
