//! The one way out: every outbound connection resolves, checks each address, and connects to exactly what it checked.
//!
//! A URL is parsed once, into a [`Target`]; what is checked, looked up, connected to, named in TLS and written into the
//! `Host` header all come from that one value, so no two parsers can disagree about where a request goes. Addresses
//! outside the public internet are refused with [`EgressError::Refused`], which carries the exact `host:port` that an
//! administrator may put into [`Allowances`]. Redirects pass through the same gate, one hop at a time.

mod address;
mod allowances;
mod body;
mod client;
mod connect;
mod error;
mod inside;
mod pool;
mod proxy;
mod request;
mod resolve;
mod stream;
mod target;
mod tls;

pub use address::{AddressKind, kind_of};
pub use allowances::{Allowances, Authority};
pub use body::CappedBody;
pub use client::{Egress, EgressOptions};
pub use error::{EgressError, OptionsError, TargetError, describe};
pub use inside::Inside;
pub use proxy::ProxyOptions;
pub use request::{Limits, Redirects, Request};
pub use resolve::{Resolve, Resolving, SystemResolver};
pub use stream::{BoxedStream, Stream};
pub use target::{Host, Target};
