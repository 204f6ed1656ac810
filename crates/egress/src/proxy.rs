//! Forward proxies: which requests take one, and the tunnel through it (RFC 9110 §9.3.6).

use http::{HeaderValue, Uri};
use hyper_util::client::proxy::matcher::Matcher;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::address::{AddressKind, kind_of};
use crate::error::{EgressError, OptionsError};
use crate::stream::BoxedStream;
use crate::target::{Host, Target};

/// The longest head of a proxy's answer to CONNECT.
const MAX_CONNECT_HEAD_BYTES: usize = 16 * 1024;

const PROBE: &str = "http://probe.invalid/";

/// The forward proxies of this installation, in the form of the usual environment variables.
#[derive(Clone, Debug, Default)]
pub struct ProxyOptions {
    /// `HTTP_PROXY`: for `http://` addresses.
    pub http: Option<String>,
    /// `HTTPS_PROXY`: for `https://` addresses.
    pub https: Option<String>,
    /// `NO_PROXY`: names, domains, addresses and networks that are reached directly, comma-separated; `*` for all.
    pub no: Option<String>,
}

/// One proxy. Its own address is the operator's word and is not checked.
#[derive(Clone)]
pub(crate) struct Proxy {
    pub(crate) target: Target,
    pub(crate) authorization: Option<HeaderValue>,
}

pub(crate) struct Proxies {
    matcher: Option<Matcher>,
}

impl Proxies {
    pub(crate) fn new(options: &ProxyOptions) -> Result<Self, OptionsError> {
        let mut builder = Matcher::builder();
        let mut any = false;
        for (value, secure) in [(&options.http, false), (&options.https, true)] {
            let Some(value) = value.as_deref().map(str::trim).filter(|value| !value.is_empty()) else { continue };
            any = true;
            let value = if value.contains("://") { value.to_owned() } else { format!("http://{value}") };
            // Found at start, not at the first request. The message holds no password.
            if Matcher::builder()
                .all(value.clone())
                .build()
                .intercept(&Uri::from_static(PROBE))
                .is_none_or(|found| proxy_target(found.uri()).is_none())
            {
                return Err(OptionsError::Proxy(redacted(&value)));
            }
            builder = if secure { builder.https(value) } else { builder.http(value) };
        }
        let matcher = any.then(|| builder.no(options.no.clone().unwrap_or_default()).build());
        Ok(Self { matcher })
    }

    /// The proxy that `target` is reached through. This machine itself never is, as everywhere else.
    pub(crate) fn choose(&self, target: &Target) -> Option<Proxy> {
        let matcher = self.matcher.as_ref()?;
        let is_this_machine = match target.host() {
            Host::Name(name) => name == "localhost" || name.ends_with(".localhost"),
            Host::Address(address) => kind_of(*address) == Some(AddressKind::Loopback),
        };
        if is_this_machine {
            return None;
        }
        let intercept = matcher.intercept(&target.absolute_form().ok()?)?;
        let mut authorization = intercept.basic_auth().cloned();
        if let Some(value) = &mut authorization {
            value.set_sensitive(true);
        }
        Some(Proxy { target: proxy_target(intercept.uri())?, authorization })
    }
}

fn proxy_target(uri: &Uri) -> Option<Target> {
    let host = uri.host()?;
    let scheme = uri.scheme_str()?;
    let port = uri.port_u16().map(|port| format!(":{port}")).unwrap_or_default();
    Target::parse(&format!("{scheme}://{host}{port}/")).ok()
}

fn redacted(value: &str) -> String {
    match value.rsplit_once('@') {
        Some((_, behind)) => format!("…@{behind}"),
        None => value.to_owned(),
    }
}

/// Asks the proxy at the other end of `stream` for a way to `target`.
pub(crate) async fn open_tunnel(
    mut stream: BoxedStream,
    proxy: &Proxy,
    target: &Target,
) -> Result<BoxedStream, EgressError> {
    let wrong = |detail: String| EgressError::Proxy { proxy: proxy.target.authority().to_string(), detail };
    let authority = target.authority();
    let mut request = format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n").into_bytes();
    if let Some(value) = &proxy.authorization {
        request.extend_from_slice(b"Proxy-Authorization: ");
        request.extend_from_slice(value.as_bytes());
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"\r\n");
    stream.write_all(&request).await.map_err(|error| wrong(error.to_string()))?;
    stream.flush().await.map_err(|error| wrong(error.to_string()))?;

    // Byte by byte at the end of the head: nothing behind it may be swallowed, for it belongs to the tunnel.
    let mut head = Vec::with_capacity(256);
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() >= MAX_CONNECT_HEAD_BYTES {
            return Err(wrong("its answer is too long".to_owned()));
        }
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return Err(wrong("it closed the connection".to_owned())),
        }
    }
    let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let status = String::from_utf8_lossy(line);
    let code = status.split_ascii_whitespace().nth(1).unwrap_or_default();
    match code {
        code if code.len() == 3 && code.starts_with('2') => Ok(stream),
        "407" => Err(wrong("it wants a user name and password".to_owned())),
        _ => Err(wrong(format!("it answered `{}`", status.chars().take(120).collect::<String>()))),
    }
}
