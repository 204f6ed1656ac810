//! What a caller asks for: a request whose body is at hand, and the limits that its answer is held to.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Method, header};
use tokio::time::Instant;

use crate::target::Target;

/// A request to go out. Headers whose values are marked sensitive never leave the origin they were made for.
#[derive(Clone)]
pub struct Request {
    pub(crate) method: Method,
    pub(crate) target: Target,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Request {
    pub fn new(method: Method, target: Target, body: impl Into<Bytes>) -> Self {
        Self { method, target, headers: HeaderMap::new(), body: body.into() }
    }

    pub fn get(target: Target) -> Self {
        Self::new(Method::GET, target, Bytes::new())
    }

    pub fn post(target: Target, body: impl Into<Bytes>) -> Self {
        Self::new(Method::POST, target, body)
    }

    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    pub const fn target(&self) -> &Target {
        &self.target
    }

    /// Takes away what must not reach another origin.
    pub(crate) fn drop_credentials(&mut self) {
        let secret: Vec<HeaderName> = self
            .headers
            .iter()
            .filter(|(name, value)| value.is_sensitive() || is_credential(name))
            .map(|(name, _)| name.clone())
            .collect();
        for name in secret {
            self.headers.remove(name);
        }
    }
}

fn is_credential(name: &HeaderName) -> bool {
    *name == header::AUTHORIZATION
        || *name == header::COOKIE
        || *name == header::PROXY_AUTHORIZATION
        || matches!(name.as_str(), "api-key" | "x-api-key" | "x-goog-api-key")
}

/// Without header values and body.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("target", &self.target)
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// Whether and how far redirects are followed. Each hop passes the same checks as the first address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Redirects {
    /// The redirect itself is the answer.
    None,
    /// At most so many for GET and HEAD; for other methods the redirect itself is the answer.
    Safe(u8),
    /// At most so many for any method: 307 and 308 send the body again, the others become a GET.
    Any(u8),
}

/// What the answer is held to. Every answer has a size and a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// For name resolution, connection and TLS together.
    pub connect: Duration,
    /// From the sent request to the head of the answer.
    pub head: Duration,
    /// Between two pieces of the body.
    pub idle: Duration,
    /// From the call to the end of the body, redirects included.
    pub total: Duration,
    pub body_bytes: u64,
    pub redirects: Redirects,
}

/// A moment that far from `now`; with a duration out of all reason, one that nobody lives to see.
pub(crate) fn moment(now: Instant, after: Duration) -> Instant {
    const FAR: Duration = Duration::from_hours(365 * 24);
    now + after.min(FAR)
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            head: Duration::from_secs(30),
            idle: Duration::from_secs(30),
            total: Duration::from_mins(1),
            body_bytes: 16 * 1024 * 1024,
            redirects: Redirects::Safe(5),
        }
    }
}
