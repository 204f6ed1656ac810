//! Why a request could not go out, or its answer not come back.

use std::error::Error as StdError;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::time::Duration;

use crate::address::AddressKind;

#[derive(Debug, thiserror::Error)]
pub enum EgressError {
    #[error("the address is not usable")]
    Target(#[from] TargetError),
    /// `authority` is the exact `host:port` that an administrator may allow.
    #[error("{authority} leads to the {kind} address {address}, which is not allowed")]
    Refused { authority: String, address: IpAddr, kind: AddressKind },
    #[error("the name {host} cannot be resolved")]
    Resolve {
        host: String,
        #[source]
        source: std::io::Error,
    },
    #[error("the name {host} has no address")]
    NoAddress { host: String },
    #[error("no connection to {authority}")]
    Connect {
        authority: String,
        #[source]
        source: std::io::Error,
    },
    #[error("no secure connection to {authority}")]
    Tls {
        authority: String,
        #[source]
        source: std::io::Error,
    },
    #[error("the proxy {proxy} gave no way through: {detail}")]
    Proxy { proxy: String, detail: String },
    #[error("no connection to {authority} within {after:?}")]
    ConnectTimedOut { authority: String, after: Duration },
    #[error("no answer within {after:?}")]
    HeadTimedOut { after: Duration },
    #[error("nothing came for {after:?}")]
    IdleTimedOut { after: Duration },
    #[error("the answer did not end within {after:?}")]
    TotalTimedOut { after: Duration },
    #[error("the answer is longer than {limit} bytes")]
    TooLarge { limit: u64 },
    #[error("the head of the answer is longer than {limit} bytes")]
    HeadTooLarge { limit: usize },
    #[error("more than {limit} redirects")]
    TooManyRedirects { limit: u8 },
    #[error("the answer redirects from a secure address to an insecure one")]
    InsecureRedirect,
    #[error("the answer redirects to an unusable address")]
    BadRedirect(#[source] TargetError),
    /// The connection ended before the answer did.
    #[error("the answer was cut off")]
    CutOff(#[source] hyper::Error),
    #[error("the answer is not HTTP as it should be")]
    Protocol(#[source] hyper::Error),
    /// A header of the request, not of the answer.
    #[error("the request cannot be written")]
    Request(#[source] http::Error),
}

/// Why a text names no place that a request can go to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    #[error("it is not a URL: {0}")]
    Url(#[from] url::ParseError),
    #[error("it must begin with http:// or https://, not {scheme}:")]
    Scheme { scheme: String },
    #[error("it must not hold a user name or password")]
    Credentials,
    #[error("it names no host that can be looked up")]
    NoHost,
    #[error("it names no port")]
    NoPort,
    #[error("it is not a host and a port such as 192.168.1.20:11434")]
    NotAnAuthority,
    #[error("its path or query cannot be sent")]
    Path,
    #[error("it is longer than {limit} bytes")]
    TooLong { limit: usize },
}

/// What is wrong with the options that an [`crate::Egress`] was to be made with.
#[derive(Debug, thiserror::Error)]
pub enum OptionsError {
    #[error("the proxy address `{0}` is not usable; give http://host:port or https://host:port")]
    Proxy(String),
    #[error("the certificates in {path} cannot be read")]
    Certificates {
        path: String,
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    #[error("{path} holds no certificate")]
    NoCertificate { path: String },
    #[error("TLS cannot be set up")]
    Tls(#[source] rustls::Error),
}

/// An error with its sources in one line, for people: `no connection to host:443: connection refused`.
pub fn describe(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let next = error.to_string();
        if !text.ends_with(&next) {
            let _ = write!(text, ": {next}");
        }
        source = error.source();
    }
    text
}
