//! The exact `host:port`s that may be reached although they are not on the public internet.

use std::collections::HashSet;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::address::kind_of;
use crate::error::{EgressError, TargetError};
use crate::target::{Host, Target};

/// A host and a port in the one spelling that comparisons use: `example.com:443`, `127.0.0.1:8080`, `[::1]:8080`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Authority(String);

impl Authority {
    pub(crate) fn new(host: &Host, port: u16) -> Self {
        Self(format!("{host}:{port}"))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As a target, for its host and port. The scheme is that whose proxy leads to anything at all.
    pub fn target(&self) -> Result<Target, TargetError> {
        Target::parse(&format!("https://{}/", self.0))
    }
}

impl fmt::Display for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Reads `host:port` by the same rules as a URL; the port must be written out.
impl FromStr for Authority {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, TargetError> {
        let text = text.trim();
        if text.contains(['/', '?', '#', '\\', '@']) {
            return Err(TargetError::NotAnAuthority);
        }
        let (_, port) = text.rsplit_once(':').ok_or(TargetError::NoPort)?;
        if port.is_empty() || !port.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(TargetError::NoPort);
        }
        Target::parse(&format!("http://{text}/")).map(|target| target.authority())
    }
}

/// The set in force. Replaced as a whole at run time; a connection that was opened under an older set is not used again
/// unless the new one covers it.
#[derive(Debug, Default)]
pub struct Allowances {
    /// From the configuration; there as long as the process runs.
    fixed: HashSet<Authority>,
    /// What administrators allowed.
    granted: ArcSwap<HashSet<Authority>>,
}

impl Allowances {
    pub fn new(fixed: impl IntoIterator<Item = Authority>) -> Self {
        Self { fixed: fixed.into_iter().collect(), granted: ArcSwap::default() }
    }

    /// Reads a comma-separated list such as that of `STOA_EGRESS_ALLOW`.
    pub fn parse_list(text: &str) -> Result<Vec<Authority>, (String, TargetError)> {
        text.split(',')
            .map(str::trim)
            .filter(|entry| !entry.is_empty())
            .map(|entry| entry.parse().map_err(|error| (entry.to_owned(), error)))
            .collect()
    }

    pub fn replace(&self, granted: impl IntoIterator<Item = Authority>) {
        self.granted.store(Arc::new(granted.into_iter().collect()));
    }

    pub fn contains(&self, authority: &Authority) -> bool {
        self.fixed.contains(authority) || self.granted.load().contains(authority)
    }

    /// Whether `target` may be reached at `address`.
    pub(crate) fn check(&self, target: &Target, address: IpAddr) -> Result<(), EgressError> {
        let Some(kind) = kind_of(address) else { return Ok(()) };
        let named = target.authority();
        if !self.contains(&named) {
            return Err(EgressError::Refused { authority: named.to_string(), address, kind });
        }
        if kind.is_covered_by_name() || matches!(target.host(), Host::Address(_)) {
            return Ok(());
        }
        let exact = Authority::new(&Host::Address(address), target.port());
        if self.contains(&exact) {
            return Ok(());
        }
        Err(EgressError::Refused { authority: exact.to_string(), address, kind })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn authority(text: &str) -> Authority {
        text.parse().unwrap()
    }

    fn refused(allowances: &Allowances, url: &str, address: &str) -> Option<String> {
        match allowances.check(&Target::parse(url).unwrap(), address.parse().unwrap()) {
            Ok(()) => None,
            Err(EgressError::Refused { authority, .. }) => Some(authority),
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn spellings_of_one_authority_are_equal() {
        assert_eq!(authority("127.0.0.1:80"), authority("0x7f.1:80"));
        assert_eq!(authority(" LOCALHOST.:11434 "), authority("localhost:11434"));
        assert_eq!(authority("[0:0::1]:9").as_str(), "[::1]:9");
    }

    #[test]
    fn an_authority_is_a_host_and_a_port_and_nothing_else() {
        for text in ["localhost", "localhost:", ":80", "a:b", "http://a:80", "a:80/path", "a@b:80", "a:80,b:81", "::1"]
        {
            assert!(text.parse::<Authority>().is_err(), "{text} was taken");
        }
    }

    #[test]
    fn a_private_address_needs_its_exact_host_and_port() {
        let allowances = Allowances::new([authority("10.0.0.5:8080")]);
        assert_eq!(refused(&allowances, "http://10.0.0.5:8080/", "10.0.0.5"), None);
        assert_eq!(refused(&allowances, "http://10.0.0.5:8081/", "10.0.0.5").unwrap(), "10.0.0.5:8081");
        assert_eq!(refused(&allowances, "http://llm.internal:8080/", "10.0.0.5").unwrap(), "llm.internal:8080");
    }

    #[test]
    fn allowing_a_name_does_not_open_the_metadata_service_behind_it() {
        let allowances = Allowances::default();
        allowances.replace([authority("llm.internal:80")]);
        assert_eq!(refused(&allowances, "http://llm.internal/", "10.0.0.5"), None);
        assert_eq!(refused(&allowances, "http://llm.internal/", "169.254.169.254").unwrap(), "169.254.169.254:80");
        allowances.replace([authority("169.254.169.254:80")]);
        assert_eq!(refused(&allowances, "http://llm.internal/", "169.254.169.254").unwrap(), "llm.internal:80");
        allowances.replace([authority("llm.internal:80"), authority("169.254.169.254:80")]);
        assert_eq!(refused(&allowances, "http://llm.internal/", "169.254.169.254"), None);
    }

    #[test]
    fn a_list_names_its_bad_entry() {
        assert_eq!(Allowances::parse_list("localhost:1, ,[::1]:2").unwrap().len(), 2);
        assert_eq!(Allowances::parse_list("localhost:1,nonsense").unwrap_err().0, "nonsense");
    }
}
