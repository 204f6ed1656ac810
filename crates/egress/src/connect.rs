//! From a target to an open stream: route, look up, check every address, dial exactly those, then TLS.

use std::collections::HashSet;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use tokio::net::TcpStream;
use tokio::time::sleep;

use crate::allowances::{Allowances, Authority};
use crate::error::EgressError;
use crate::inside::Inside;
use crate::proxy::{Proxies, Proxy, open_tunnel};
use crate::resolve::Resolve;
use crate::stream::BoxedStream;
use crate::target::{Host, Target};
use crate::tls::Tls;

/// How long one address may take before the next is tried beside it (RFC 8305 §8).
const NEXT_ADDRESS_AFTER: Duration = Duration::from_millis(250);
/// More addresses than this are not tried.
const MAX_ADDRESSES: usize = 16;

#[derive(Clone)]
pub(crate) struct Connector {
    pub(crate) allowances: Arc<Allowances>,
    /// Endpoints of the operator's own configuration; never checked.
    pub(crate) exempt: Arc<HashSet<Authority>>,
    pub(crate) resolver: Arc<dyn Resolve>,
    pub(crate) proxies: Arc<Proxies>,
    pub(crate) tls: Arc<Tls>,
    /// Hosts that are in this very process.
    pub(crate) inside: Option<Arc<dyn Inside>>,
}

/// An open way to a target.
pub(crate) struct Opened {
    pub(crate) stream: BoxedStream,
    pub(crate) http2: bool,
    /// What was checked, to be checked again before the connection is used again.
    pub(crate) checked: Arc<[IpAddr]>,
    /// Plain HTTP through a proxy: requests name the whole URL and carry the proxy's password.
    pub(crate) forwarding: Option<Proxy>,
}

impl Connector {
    /// Whether `target` may be reached at all these addresses. One bad one spoils the answer: a name that leads both
    /// inside and outside is how rebinding looks.
    pub(crate) fn check(&self, target: &Target, addresses: &[IpAddr]) -> Result<(), EgressError> {
        if self.exempt.contains(&target.authority()) {
            return Ok(());
        }
        self.check_without_exemption(target, addresses)
    }

    fn check_without_exemption(&self, target: &Target, addresses: &[IpAddr]) -> Result<(), EgressError> {
        addresses.iter().try_for_each(|address| self.allowances.check(target, *address))
    }

    pub(crate) async fn open(&self, target: &Target) -> Result<Opened, EgressError> {
        if let Some(stream) = self.inside.as_ref().and_then(|inside| inside.connect(target)) {
            // Over no network, so there is no address to check and nothing to encrypt.
            return Ok(Opened { stream, http2: false, checked: [].into(), forwarding: None });
        }
        match self.proxies.choose(target) {
            Some(proxy) => self.open_through(proxy, target).await,
            None => self.open_directly(target).await,
        }
    }

    /// To the target itself and no further: what is spoken there is for others, who need not reach what the operator's own
    /// configuration names. A proxy is asked for a tunnel.
    pub(crate) async fn open_stream(&self, target: &Target) -> Result<BoxedStream, EgressError> {
        let proxy = self.proxies.choose(target);
        let addresses = match self.addresses(target).await {
            Err(_) if proxy.is_some() => Vec::new(),
            addresses => addresses?,
        };
        self.check_without_exemption(target, &addresses)?;
        match proxy {
            Some(proxy) => open_tunnel(self.dial_proxy(&proxy).await?, &proxy, target).await,
            None => dial(target, &addresses).await,
        }
    }

    async fn open_directly(&self, target: &Target) -> Result<Opened, EgressError> {
        let addresses = self.addresses(target).await?;
        self.check(target, &addresses)?;
        let stream = dial(target, &addresses).await?;
        let (stream, http2) = self.secure(target, stream).await?;
        Ok(Opened { stream, http2, checked: addresses.into(), forwarding: None })
    }

    /// A proxy resolves names itself, and many networks with one cannot look up outside names. What can be checked here
    /// is: addresses in the URL, and whatever the local resolver does know.
    async fn open_through(&self, proxy: Proxy, target: &Target) -> Result<Opened, EgressError> {
        let checked = match self.addresses(target).await {
            Ok(addresses) => {
                self.check(target, &addresses)?;
                addresses
            }
            Err(_) => Vec::new(),
        };
        let stream = self.dial_proxy(&proxy).await?;
        let checked = checked.into();
        if !target.is_https() {
            return Ok(Opened { stream, http2: false, checked, forwarding: Some(proxy) });
        }
        let stream = open_tunnel(stream, &proxy, target).await?;
        let (stream, http2) = self.secure(target, stream).await?;
        Ok(Opened { stream, http2, checked, forwarding: None })
    }

    async fn dial_proxy(&self, proxy: &Proxy) -> Result<BoxedStream, EgressError> {
        let stream = dial(&proxy.target, &self.addresses(&proxy.target).await?).await?;
        if proxy.target.is_https() { Ok(self.handshake(&proxy.target, stream, false).await?.0) } else { Ok(stream) }
    }

    async fn addresses(&self, target: &Target) -> Result<Vec<IpAddr>, EgressError> {
        let name = match target.host() {
            Host::Address(address) => return Ok(vec![*address]),
            Host::Name(name) => name,
        };
        let found =
            self.resolver.resolve(name).await.map_err(|source| EgressError::Resolve { host: name.clone(), source })?;
        if found.is_empty() {
            return Err(EgressError::NoAddress { host: name.clone() });
        }
        Ok(found)
    }

    async fn secure(&self, target: &Target, stream: BoxedStream) -> Result<(BoxedStream, bool), EgressError> {
        if target.is_https() { self.handshake(target, stream, true).await } else { Ok((stream, false)) }
    }

    async fn handshake(
        &self,
        target: &Target,
        stream: BoxedStream,
        http2: bool,
    ) -> Result<(BoxedStream, bool), EgressError> {
        self.tls
            .connect(stream, target.host(), http2)
            .await
            .map_err(|source| EgressError::Tls { authority: target.authority().to_string(), source })
    }
}

/// Tries the addresses in turn, the next as soon as one fails or takes long, and takes the first that answers.
async fn dial(target: &Target, addresses: &[IpAddr]) -> Result<BoxedStream, EgressError> {
    let mut waiting = addresses.iter().take(MAX_ADDRESSES).map(|address| SocketAddr::new(*address, target.port()));
    let mut attempts = FuturesUnordered::new();
    let mut last = None;
    loop {
        if let Some(address) = waiting.next() {
            attempts.push(dial_one(address));
        }
        tokio::select! {
            attempt = attempts.next() => match attempt {
                Some(Ok(stream)) => return Ok(Box::new(stream)),
                Some(Err(error)) => last = Some(error),
                None => break,
            },
            () = sleep(NEXT_ADDRESS_AFTER), if waiting.len() > 0 => {}
        }
    }
    let source = last.unwrap_or_else(|| io::Error::from(io::ErrorKind::AddrNotAvailable));
    Err(EgressError::Connect { authority: target.authority().to_string(), source })
}

async fn dial_one(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}
