//! Whence a request comes: the client's address, seen through the proxies that the operator trusts.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;

use axum::extract::FromRequestParts;
use http::HeaderMap;
use http::header::{FORWARDED, HOST, HeaderName, USER_AGENT, VIA};
use http::request::Parts;
use ipnet::IpNet;
use stoa_identity::Device;
use stoa_listener::PeerAddress;

use crate::app::App;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// What a proxy writes into a request and a browser does not.
const MARKS_OF_PROXIES: [HeaderName; 6] = [FORWARDED, FORWARDED_FOR, FORWARDED_HOST, FORWARDED_PROTO, REAL_IP, VIA];

/// As many hops are looked at. Longer chains than this come from somebody who makes them up.
const MAX_HOPS: usize = 32;

/// The proxies whose word on the client's address is taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<IpNet>);

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is neither an address nor a network such as 10.0.0.0/8")]
pub struct NotANetwork(String);

impl TrustedProxies {
    /// Takes addresses and networks.
    pub fn parse<'a>(entries: impl IntoIterator<Item = &'a str>) -> Result<Self, NotANetwork> {
        let network = |entry: &str| {
            IpNet::from_str(entry)
                .or_else(|_| IpAddr::from_str(entry).map(IpNet::from))
                .map_err(|_| NotANetwork(entry.to_owned()))
        };
        entries.into_iter().map(network).collect::<Result<_, _>>().map(Self)
    }

    fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }

    /// Whom a request with `headers` from `peer` comes from. Each proxy appends the address it was called from, so the list
    /// is read from its end, and only for as long as those who wrote it are trusted.
    fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = peer.to_canonical();
        let lists: Vec<&str> = headers.get_all(FORWARDED_FOR).iter().filter_map(|list| list.to_str().ok()).collect();
        let mut hops = lists.iter().rev().flat_map(|list| list.rsplit(',')).take(MAX_HOPS);
        while self.contains(client) {
            let Some(before) = hops.next().and_then(address_of) else { break };
            client = before.to_canonical();
        }
        client
    }
}

/// An entry of the list: an address, perhaps with the port of the connection.
fn address_of(entry: &str) -> Option<IpAddr> {
    let entry = entry.trim();
    let bare = || entry.strip_prefix('[')?.split_once(']')?.0.parse().ok();
    entry.parse().ok().or_else(|| entry.parse::<std::net::SocketAddr>().ok().map(|socket| socket.ip())).or_else(bare)
}

/// For the list of sessions, for throttling, and for set-up.
pub(crate) struct Visitor(pub(crate) Device);

impl FromRequestParts<App> for Visitor {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Infallible> {
        let peer = parts.extensions.get::<PeerAddress>().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.0.ip());
        let agent = parts.headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default();
        Ok(Self(Device {
            address: app.options.trusted_proxies.client(peer, &parts.headers),
            user_agent: agent.chars().take(300).collect(),
            at_the_machine: app.options.loopback_only
                && peer.to_canonical().is_loopback()
                && is_direct(&parts.headers)
                && names_this_machine(&parts.headers, parts.uri.host()),
        }))
    }
}

/// Whether nothing says that a proxy stands between.
pub(crate) fn is_direct(headers: &HeaderMap) -> bool {
    !MARKS_OF_PROXIES.iter().any(|mark| headers.contains_key(mark))
}

/// Whether the page was asked for by a name that only this machine has. A name of the public DNS that leads here is a
/// proxy's, or that of a page which had its own name pointed at this machine.
fn names_this_machine(headers: &HeaderMap, target: Option<&str>) -> bool {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).or(target).unwrap_or_default();
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn forwarded(lists: &[&'static str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for list in lists {
            headers.append(FORWARDED_FOR, HeaderValue::from_static(list));
        }
        headers
    }

    fn client(proxies: &[&str], peer: &str, lists: &[&'static str]) -> String {
        let proxies = TrustedProxies::parse(proxies.iter().copied()).unwrap();
        proxies.client(peer.parse().unwrap(), &forwarded(lists)).to_string()
    }

    #[test]
    fn nobody_is_believed_who_is_not_trusted() {
        assert_eq!(client(&[], "203.0.113.9", &["192.0.2.1"]), "203.0.113.9");
        assert_eq!(client(&["10.0.0.0/8"], "203.0.113.9", &["192.0.2.1"]), "203.0.113.9");
    }

    #[test]
    fn the_last_address_that_no_trusted_proxy_has_is_the_client() {
        let trusted = ["10.0.0.0/8", "::1", "127.0.0.1"];
        assert_eq!(client(&trusted, "10.1.2.3", &["192.0.2.1"]), "192.0.2.1");
        assert_eq!(client(&trusted, "::ffff:10.1.2.3", &["192.0.2.1, 10.9.9.9"]), "192.0.2.1");
        // What the client itself wrote stands before, and is not looked at.
        assert_eq!(client(&trusted, "10.1.2.3", &["127.0.0.1, 192.0.2.1, 10.9.9.9"]), "192.0.2.1");
        assert_eq!(client(&trusted, "10.1.2.3", &["127.0.0.1", "192.0.2.1"]), "192.0.2.1");
        assert_eq!(client(&trusted, "127.0.0.1", &["[2001:db8::7]:443"]), "2001:db8::7");
        assert_eq!(client(&trusted, "127.0.0.1", &["192.0.2.1:5555"]), "192.0.2.1");
        assert_eq!(client(&trusted, "127.0.0.1", &["unknown"]), "127.0.0.1");
        assert_eq!(client(&trusted, "127.0.0.1", &[]), "127.0.0.1");
    }

    #[test]
    fn a_list_of_proxies_names_what_it_cannot_read() {
        let error = TrustedProxies::parse(["127.0.0.1", "10.0.0.0/40"]).unwrap_err();
        assert_eq!(error.to_string(), "`10.0.0.0/40` is neither an address nor a network such as 10.0.0.0/8");
    }

    #[test]
    fn only_names_of_this_machine_are_its_own() {
        for (host, own) in [
            ("localhost:3210", true),
            ("LOCALHOST", true),
            ("127.0.0.1:3210", true),
            ("127.8.8.8", true),
            ("[::1]:3210", true),
            ("chat.example.com", false),
            ("localhost.evil.example", false),
            ("127.0.0.1.evil.example:3210", false),
            ("0.0.0.0:3210", false),
            ("", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, HeaderValue::from_static(host));
            assert_eq!(names_this_machine(&headers, None), own, "{host}");
        }
    }
}
