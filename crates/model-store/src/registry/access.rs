//! Which registries may be reached, how, and as whom.

use std::fmt;
use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use stoa_egress::{AddressKind, Authority, Egress, Host, Target, kind_of};

use super::RegistryError;
use super::key::SigningKey;
use super::options::RegistryOptions;

/// What an administrator says about one registry.
#[derive(Clone, Debug, Default)]
pub struct Access {
    pub credentials: Option<Credentials>,
    /// Whether it is spoken to without TLS. Nothing that a registry or a user says can bring that about.
    pub insecure: bool,
    /// Where its tokens come from, when that is another host: `auth.docker.io:443` for `registry-1.docker.io`. The
    /// registry's own word is not enough, as it would be told the password.
    pub token_host: Option<Authority>,
}

#[derive(Clone)]
pub enum Credentials {
    Password {
        username: String,
        password: String,
    },
    /// As Ollama's registry knows its users.
    Key(SigningKey),
}

/// Without the password.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Password { username, .. } => {
                f.debug_struct("Password").field("username", username).finish_non_exhaustive()
            }
            Self::Key(key) => key.fmt(f),
        }
    }
}

impl Credentials {
    /// `Basic …` (RFC 7617); `None` for a key, which no registry takes so.
    pub(super) fn basic(&self) -> Option<HeaderValue> {
        let Self::Password { username, password } = self else { return None };
        let text = STANDARD.encode(format!("{username}:{password}"));
        secret(&format!("Basic {text}"))
    }
}

/// A header's value that never leaves the origin it is for. `None` when it cannot be one.
pub(super) fn secret(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// Where a registry is reached: the root of its URLs.
pub(super) fn root(egress: &Egress, options: &RegistryOptions, host: &str) -> Result<Target, RegistryError> {
    let host = host.to_ascii_lowercase();
    if options
        .allowed
        .as_ref()
        .is_some_and(|allowed| !allowed.iter().any(|allowed| allowed.eq_ignore_ascii_case(&host)))
    {
        return Err(RegistryError::NotAllowed { host });
    }
    let parse = |scheme: &str| {
        Target::parse(&format!("{scheme}://{host}/"))
            .map_err(|source| RegistryError::Host { host: host.clone(), source })
    };
    let plain = parse("http")?;
    let insecure = options.access(&host).is_some_and(|access| access.insecure)
        || (is_loopback(plain.host()) && egress.allowances().contains(&plain.authority()));
    if insecure { Ok(plain) } else { parse("https") }
}

/// Nobody listens in on the way to this very machine.
fn is_loopback(host: &Host) -> bool {
    match host {
        Host::Name(name) => name == "localhost",
        Host::Address(address) => is_loopback_address(*address),
    }
}

fn is_loopback_address(address: IpAddr) -> bool {
    kind_of(address) == Some(AddressKind::Loopback)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use stoa_egress::{Allowances, EgressOptions};

    use super::*;

    fn root_of(options: &RegistryOptions, host: &str) -> Result<String, RegistryError> {
        let allowed = ["127.0.0.1:5000", "10.0.0.9:5000", "localhost:80"].map(|text| text.parse().unwrap());
        let allowances = Arc::new(Allowances::new(allowed));
        let egress = Egress::new(EgressOptions { allowances, ..EgressOptions::default() }).unwrap();
        root(&egress, options, host).map(|target| target.to_string())
    }

    #[test]
    fn only_an_administrator_takes_tls_away() {
        let mut options = RegistryOptions::default();
        for (host, expected) in [
            ("registry.ollama.ai", "https://registry.ollama.ai/"),
            ("Hub.Example:5000", "https://hub.example:5000/"),
            ("127.0.0.1:5000", "http://127.0.0.1:5000/"),
            ("localhost", "http://localhost/"),
            ("127.0.0.1:5001", "https://127.0.0.1:5001/"),
            ("10.0.0.9:5000", "https://10.0.0.9:5000/"),
        ] {
            assert_eq!(root_of(&options, host).unwrap(), expected);
        }
        options.access.insert("10.0.0.9:5000".to_owned(), Access { insecure: true, ..Access::default() });
        assert_eq!(root_of(&options, "10.0.0.9:5000").unwrap(), "http://10.0.0.9:5000/");
    }

    #[test]
    fn only_listed_registries_are_reached_when_there_is_a_list() {
        let allowed = Some(["Hub.example".to_owned()].into());
        let options = RegistryOptions { allowed, ..RegistryOptions::default() };
        assert!(root_of(&options, "hub.EXAMPLE").is_ok());
        for host in ["registry.ollama.ai", "hub.example:5000", "evil.hub.example"] {
            assert!(matches!(root_of(&options, host), Err(RegistryError::NotAllowed { .. })), "{host}");
        }
    }

    #[test]
    fn what_is_no_host_is_refused() {
        for host in ["a:b:c", "hub:99999", "_:0"] {
            assert!(matches!(root_of(&RegistryOptions::default(), host), Err(RegistryError::Host { .. })), "{host}");
        }
    }

    #[test]
    fn a_password_is_never_shown() {
        let credentials = Credentials::Password { username: "me".to_owned(), password: "hunter2".to_owned() };
        assert!(!format!("{credentials:?}").contains("hunter2"));
        let header = credentials.basic().unwrap();
        assert!(header.is_sensitive());
        assert_eq!(header, "Basic bWU6aHVudGVyMg==");
    }
}
