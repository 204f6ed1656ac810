//! The ports of a sandbox that lead out, where each leads, and what the function is told of them.

use std::sync::Arc;

use stoa_egress::Authority;
use stoa_functions::Draft;
use stoa_functions::spec::{Binding, HostPattern, Network, PROXY_VARIABLES};

/// Where a proxy is looked for first: the port that proxies have by custom.
const PROXY_PORT: u16 = 3128;

#[derive(Clone, Debug)]
pub(crate) enum Door {
    Proxy(Arc<[HostPattern]>),
    /// With its name.
    Binding(String, Authority),
}

/// What doors are asked for by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted<'w> {
    network: &'w Network,
    bindings: &'w [Binding],
    /// Taken by the function itself.
    port: Option<u16>,
}

impl<'w> Wanted<'w> {
    pub(crate) fn by_spec(spec: &'w Draft) -> Self {
        Self { network: &spec.network, bindings: &spec.bindings, port: Some(spec.port) }
    }

    pub(crate) fn by_network(network: &'w Network) -> Self {
        Self { network, bindings: &[], port: None }
    }

    /// The port of the proxy, if there is one: one that nothing else has.
    fn proxy_port(self) -> Option<u16> {
        let taken =
            |port: u16| self.port == Some(port) || self.bindings.iter().any(|binding| binding.local_port == port);
        match self.network {
            Network::None => None,
            Network::Proxy { .. } => (PROXY_PORT..=u16::MAX).find(|port| !taken(*port)),
        }
    }

    pub(crate) fn doors(self) -> Vec<(u16, Door)> {
        let proxy = self.proxy_port().map(|port| (port, Door::Proxy(self.network.patterns().into())));
        let bindings = self.bindings.iter().filter_map(|binding| {
            let to = destination(binding)?;
            Some((binding.local_port, Door::Binding(binding.name.clone(), to)))
        });
        proxy.into_iter().chain(bindings).collect()
    }

    /// The first binding, if there is one, whose host looks like one and is none: by the rules of the URL standard, which
    /// know more of names than a spec does.
    pub(crate) fn nowhere(self) -> Option<&'w Binding> {
        self.bindings.iter().find(|binding| destination(binding).is_none())
    }

    pub(crate) fn ports(self) -> Vec<u16> {
        self.doors().into_iter().map(|(port, _)| port).collect()
    }

    /// What the environment says of them.
    pub(crate) fn variables(self) -> Vec<(String, String)> {
        // A job has nothing of its own on its loopback, and an index may be on the server's.
        let exceptions = if self.port.is_some() { NOT_PROXIED } else { "" };
        let proxy = self.proxy_port().into_iter().flat_map(|port| proxy_variables(port, exceptions));
        proxy.chain(self.bindings.iter().flat_map(Binding::variables)).collect()
    }
}

fn destination(binding: &Binding) -> Option<Authority> {
    format!("{}:{}", binding.host, binding.port).parse().ok()
}

fn proxy_variables(port: u16, exceptions: &str) -> impl Iterator<Item = (String, String)> {
    let proxies = PROXY_VARIABLES.into_iter().map(move |name| {
        let is_exception = name.eq_ignore_ascii_case("no_proxy");
        let value = if is_exception { exceptions.to_owned() } else { format!("http://127.0.0.1:{port}") };
        (name.to_owned(), value)
    });
    // Later releases of Node.js look at the variables if they are told to.
    proxies.chain([("NODE_USE_ENV_PROXY".to_owned(), "1".to_owned())])
}

/// The function itself, and its bindings.
const NOT_PROXIED: &str = "127.0.0.1,localhost,::1";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use stoa_functions::spec::Host;

    use super::*;

    fn bound(host: &str) -> Binding {
        Binding { name: "db".into(), host: host.into(), port: 5432, local_port: 3129 }
    }

    #[test]
    fn a_binding_to_no_host_is_found() {
        let spec = |host: &str| Draft { bindings: vec![bound(host)], ..Draft::default() };
        for host in ["db.test", "a_b", "10.0.0.1", "[2001:db8::1]"] {
            assert_eq!(Wanted::by_spec(&spec(host)).nowhere(), None, "{host}");
        }
        let broken = spec("xn--a.test");
        assert_eq!(Wanted::by_spec(&broken).nowhere().map(|binding| binding.name.as_str()), Some("db"));
    }

    proptest! {
        /// The spec's reading of a host and that of the connections are one.
        #[test]
        fn what_is_allowed_by_its_name_is_what_a_url_calls_so(
            text in "[a-z0-9_.*\\[\\]:-]{1,12}|[0-9]{1,3}(\\.[0-9]{1,3}){3}|[A-Za-z]{1,4}(\\.[A-Za-z0-9-]{1,4}){0,3}",
        ) {
            if let Ok(pattern) = format!("{text}:8443").parse::<HostPattern>()
                && !text.contains('*')
                && let Ok(target) = stoa_egress::Target::parse(&format!("https://{text}:8443/"))
            {
                let host = match target.host() {
                    stoa_egress::Host::Name(name) => Host::Name(name),
                    stoa_egress::Host::Address(address) => Host::Address(*address),
                };
                prop_assert!(pattern.allows(host, 8443), "{text} is not {host:?}");
            }
        }
    }

    #[test]
    fn the_proxy_takes_a_port_that_nothing_else_has() {
        let network = Network::Proxy { allowed: vec!["example.org".into()] };
        let spec = Draft { port: 3128, network, bindings: vec![bound("[::1]")], ..Draft::default() };
        let wanted = Wanted::by_spec(&spec);
        assert_eq!(wanted.ports(), [3130, 3129]);
        let variables = wanted.variables();
        for (name, value) in [
            ("HTTP_PROXY", "http://127.0.0.1:3130"),
            ("https_proxy", "http://127.0.0.1:3130"),
            ("NO_PROXY", NOT_PROXIED),
            ("DB_HOST", "127.0.0.1"),
            ("DB_PORT", "3129"),
        ] {
            assert!(variables.contains(&(name.to_owned(), value.to_owned())), "{name} in {variables:?}");
        }
        let none = Draft::default();
        assert_eq!((Wanted::by_spec(&none).ports(), Wanted::by_spec(&none).variables()), (Vec::new(), Vec::new()));
    }
}
