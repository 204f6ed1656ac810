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
        // A checked spec names hosts that can be named.
        let bindings = self.bindings.iter().filter_map(|binding| {
            let to = format!("{}:{}", binding.host, binding.port).parse().ok()?;
            Some((binding.local_port, Door::Binding(binding.name.clone(), to)))
        });
        proxy.into_iter().chain(bindings).collect()
    }

    pub(crate) fn ports(self) -> Vec<u16> {
        self.doors().into_iter().map(|(port, _)| port).collect()
    }

    /// What the environment says of them.
    pub(crate) fn variables(self) -> Vec<(String, String)> {
        let proxy = self.proxy_port().into_iter().flat_map(proxy_variables);
        proxy.chain(self.bindings.iter().flat_map(Binding::variables)).collect()
    }
}

fn proxy_variables(port: u16) -> impl Iterator<Item = (String, String)> {
    let proxies = PROXY_VARIABLES.into_iter().map(move |name| {
        let is_exception = name.eq_ignore_ascii_case("no_proxy");
        let value = if is_exception { NOT_PROXIED.to_owned() } else { format!("http://127.0.0.1:{port}") };
        (name.to_owned(), value)
    });
    // Later releases of Node.js look at the variables if they are told to.
    proxies.chain([("NODE_USE_ENV_PROXY".to_owned(), "1".to_owned())])
}

/// The function itself, and its bindings.
const NOT_PROXIED: &str = "127.0.0.1,localhost,::1";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_proxy_takes_a_port_that_nothing_else_has() {
        let binding = Binding { name: "db".into(), host: "[::1]".into(), port: 5432, local_port: 3129 };
        let network = Network::Proxy { allowed: vec!["example.org".into()] };
        let spec = Draft { port: 3128, network, bindings: vec![binding], ..Draft::default() };
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
