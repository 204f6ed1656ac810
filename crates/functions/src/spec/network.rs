//! What a function reaches beyond itself: hosts through the server's proxy, and services that are bound to ports of its own.

use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What the function reaches by HTTP, and by whatever else asks a proxy for a tunnel.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Network {
    #[default]
    None,
    /// These hosts, through the proxy of the server, each as a [`HostPattern`]. The environment names the proxy as usual
    /// (`HTTP_PROXY`, `HTTPS_PROXY`, `NO_PROXY`, and the same in small letters).
    Proxy { allowed: Vec<String> },
}

impl Network {
    /// Of a spec, all are patterns.
    pub fn patterns(&self) -> Vec<HostPattern> {
        match self {
            Self::None => Vec::new(),
            Self::Proxy { allowed } => allowed.iter().filter_map(|pattern| pattern.parse().ok()).collect(),
        }
    }
}

/// One service, such as a database, that the function reaches at a port of its own: whatever connects to
/// `127.0.0.1:local_port` talks to `host:port`. For a binding `orders-db` the environment says where:
/// `ORDERS_DB_HOST` and `ORDERS_DB_PORT`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Binding {
    /// Small letters, digits, `-` and `_`, a letter first; at most 32.
    pub name: String,
    /// A name or an address.
    pub host: String,
    pub port: u16,
    /// 1,024 and above.
    pub local_port: u16,
}

impl Binding {
    /// What the environment says of it.
    pub fn variables(&self) -> [(String, String); 2] {
        let name = self.name.to_ascii_uppercase().replace('-', "_");
        [(format!("{name}_HOST"), "127.0.0.1".to_owned()), (format!("{name}_PORT"), self.local_port.to_string())]
    }
}

/// Names of variables that are the engine's where there is a proxy.
pub const PROXY_VARIABLES: [&str; 6] =
    ["HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"];

/// Hosts that may be reached: `example.org`, `*.example.org` (all below it, not itself), an address (`192.0.2.1`,
/// `[2001:db8::1]`), or `*` (all). With `:PORT` behind, at that port; otherwise at those of the web, 80 and 443.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPattern {
    hosts: Hosts,
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Hosts {
    All,
    /// With a dot before it.
    Below(String),
    Name(String),
    Address(IpAddr),
}

/// What is to be reached, spelled in the one way: a name in small letters without a dot at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Host<'h> {
    Name(&'h str),
    Address(IpAddr),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "it is not a host such as example.org, *.example.org, example.org:8443 or 192.0.2.1; other letters than those of \
     ASCII are written as xn--"
)]
pub struct PatternError;

/// The ports of the web.
const USUAL: [u16; 2] = [80, 443];

impl HostPattern {
    pub fn allows(&self, host: Host<'_>, port: u16) -> bool {
        let is_host = match (&self.hosts, host) {
            (Hosts::All, _) => true,
            (Hosts::Below(end), Host::Name(name)) => name.len() > end.len() && name.ends_with(end),
            (Hosts::Name(allowed), Host::Name(name)) => allowed == name,
            (Hosts::Address(allowed), Host::Address(address)) => *allowed == address,
            _ => false,
        };
        is_host && self.port.map_or_else(|| USUAL.contains(&port), |allowed| allowed == port)
    }
}

impl FromStr for HostPattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        let (host, port) = split_port(text)?;
        let hosts = match host.strip_prefix("*.") {
            Some(end) if is_name(end) => Hosts::Below(format!(".{}", end.to_ascii_lowercase())),
            Some(_) => return Err(PatternError),
            None if host == "*" => Hosts::All,
            None => match address(host) {
                Some(address) => Hosts::Address(address),
                None if is_name(host) => Hosts::Name(host.to_ascii_lowercase()),
                None => return Err(PatternError),
            },
        };
        Ok(Self { hosts, port })
    }
}

/// Whether a binding may name it.
pub(super) fn is_host(text: &str) -> bool {
    address(text).is_some() || is_name(text)
}

fn split_port(text: &str) -> Result<(&str, Option<u16>), PatternError> {
    // Within brackets, colons belong to the address.
    let Some((host, port)) = text.rsplit_once(':').filter(|(_, port)| !port.ends_with(']')) else {
        return Ok((text, None));
    };
    let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    let port = port.parse().ok().filter(|port| digits && *port != 0);
    Ok((host, Some(port.ok_or(PatternError)?)))
}

fn address(text: &str) -> Option<IpAddr> {
    match text.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']')?.parse().ok().map(IpAddr::V6),
        None => text.parse().ok().map(IpAddr::V4),
    }
}

fn is_name(text: &str) -> bool {
    let label = |label: &str| {
        let usual = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        (1..=63).contains(&label.len()) && label.bytes().all(usual)
    };
    // What ends in a number is an address, in one spelling or another (WHATWG URL, "ends in a number").
    let last = text.rsplit('.').next().unwrap_or_default();
    let numeric = last.starts_with(|first: char| first.is_ascii_digit());
    text.len() <= 253 && !numeric && text.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::{Binding, Host, HostPattern};

    fn allows(pattern: &str, host: &str, port: u16) -> bool {
        let host = host.parse().map_or(Host::Name(host), Host::Address);
        pattern.parse::<HostPattern>().unwrap().allows(host, port)
    }

    #[test]
    fn a_name_is_itself_at_the_ports_of_the_web() {
        assert!(allows("Example.org", "example.org", 443) && allows("example.org", "example.org", 80));
        for (host, port) in
            [("example.org", 8443), ("a.example.org", 443), ("example.org.evil.test", 443), ("evilexample.org", 443)]
        {
            assert!(!allows("example.org", host, port), "{host}:{port}");
        }
        assert!(allows("example.org:8443", "example.org", 8443));
        assert!(!allows("example.org:8443", "example.org", 443));
    }

    #[test]
    fn a_star_is_what_lies_below() {
        assert!(allows("*.example.org", "a.example.org", 443) && allows("*.example.org", "a.b.example.org", 443));
        for host in ["example.org", "evilexample.org", "example.org.evil.test", ".example.org"] {
            assert!(!allows("*.example.org", host, 443), "{host}");
        }
        assert!(allows("*:8443", "example.org", 8443) && allows("*", "192.0.2.1", 80));
        assert!(!allows("*", "example.org", 22));
    }

    #[test]
    fn addresses_are_addresses() {
        assert!(allows("192.0.2.1:5432", "192.0.2.1", 5432) && allows("[2001:db8::1]", "2001:db8::1", 443));
        assert!(allows("[2001:db8:0::1]:9", "2001:db8::1", 9));
        assert!(!allows("192.0.2.1", "192.0.2.2", 443) && !allows("*.2.1.test", "192.0.2.1", 443));
    }

    #[test]
    fn what_is_no_host_is_refused() {
        for text in [
            "",
            "*",
            "*.",
            "a.*",
            "*a.org",
            "http://a",
            "a/b",
            "a b",
            "a:",
            "a:0",
            "a:65536",
            "a:+1",
            ":80",
            "a..b",
            "a.",
            "2130706433",
            "0x7f.1",
            "127.1",
            "1.2.3",
            "2001:db8::1",
            "[::1",
            "[127.0.0.1]",
            "ä.test",
            "a@b",
            "*.1",
            &"a".repeat(64),
        ] {
            assert_eq!(text.parse::<HostPattern>().is_ok(), text == "*", "{text}");
        }
    }

    #[test]
    fn a_binding_is_named_in_the_environment() {
        let binding = Binding { name: "orders-db".into(), host: "db.test".into(), port: 5432, local_port: 15432 };
        let [host, port] = binding.variables();
        assert_eq!(host, ("ORDERS_DB_HOST".to_owned(), "127.0.0.1".to_owned()));
        assert_eq!(port, ("ORDERS_DB_PORT".to_owned(), "15432".to_owned()));
    }
}
