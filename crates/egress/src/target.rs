//! The address of a request, parsed once by the URL standard's rules (WHATWG), which every later step then uses.

use std::fmt;
use std::net::IpAddr;

use http::{HeaderValue, Uri};
use url::Url;

use crate::allowances::Authority;
use crate::error::TargetError;

/// The longest URL taken, in bytes.
pub(crate) const MAX_URL_BYTES: usize = 8 * 1024;

/// Where a request goes. The parser has already folded decimal, octal, hexadecimal, short, percent-encoded and full-width
/// spellings of an IP address into the address itself.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    url: Url,
    host: Host,
    port: u16,
}

/// Who is to be reached: a name that has yet to be looked up, or an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Host {
    /// Lower case, in ASCII (IDNA), without a trailing dot.
    Name(String),
    Address(IpAddr),
}

impl Target {
    /// Takes `http` and `https` URLs without user name and password. The fragment is dropped.
    pub fn parse(text: &str) -> Result<Self, TargetError> {
        if text.len() > MAX_URL_BYTES {
            return Err(TargetError::TooLong { limit: MAX_URL_BYTES });
        }
        Self::from_url(Url::parse(text)?)
    }

    pub fn from_url(mut url: Url) -> Result<Self, TargetError> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(TargetError::Scheme { scheme: url.scheme().to_owned() });
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(TargetError::Credentials);
        }
        let host = match url.host() {
            Some(url::Host::Domain(name)) => {
                let name = name.strip_suffix('.').unwrap_or(name);
                // The URL standard lets quotes, commas and the like into names; no resolver and no header does.
                let usual = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
                if name.is_empty() || name.ends_with('.') || name.len() > 253 || !name.bytes().all(usual) {
                    return Err(TargetError::NoHost);
                }
                Host::Name(name.to_ascii_lowercase())
            }
            Some(url::Host::Ipv4(address)) => Host::Address(IpAddr::V4(address)),
            Some(url::Host::Ipv6(address)) => Host::Address(IpAddr::V6(address)),
            None => return Err(TargetError::NoHost),
        };
        let port = url.port_or_known_default().filter(|port| *port != 0).ok_or(TargetError::NoPort)?;
        url.set_fragment(None);
        Ok(Self { url, host, port })
    }

    /// The target that a `Location` header (or any other reference) names, seen from this one.
    pub fn join(&self, reference: &str) -> Result<Self, TargetError> {
        if reference.len() > MAX_URL_BYTES {
            return Err(TargetError::TooLong { limit: MAX_URL_BYTES });
        }
        Self::from_url(self.url.join(reference)?)
    }

    pub const fn host(&self) -> &Host {
        &self.host
    }

    pub const fn port(&self) -> u16 {
        self.port
    }

    pub fn is_https(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// The exact `host:port`, port always written, as in [`crate::Allowances`].
    pub fn authority(&self) -> Authority {
        Authority::new(&self.host, self.port)
    }

    pub fn as_url(&self) -> &Url {
        &self.url
    }

    pub(crate) fn same_origin(&self, other: &Self) -> bool {
        self.is_https() == other.is_https() && self.host == other.host && self.port == other.port
    }

    /// What goes into the `Host` header: the port only where it is not the scheme's own.
    pub fn host_header(&self) -> Result<HeaderValue, TargetError> {
        let text = match self.url.port() {
            Some(port) => format!("{}:{port}", self.host),
            None => self.host.to_string(),
        };
        HeaderValue::from_str(&text).map_err(|_| TargetError::NoHost)
    }

    /// The request line's form to an origin server: path and query.
    pub(crate) fn origin_form(&self) -> Result<Uri, TargetError> {
        let path = self.url.path();
        match self.url.query() {
            Some(query) => format!("{path}?{query}").parse(),
            None => path.parse(),
        }
        .map_err(|_| TargetError::Path)
    }

    /// The request line's form to a proxy, and the one that HTTP/2 takes its pseudo-headers from.
    pub(crate) fn absolute_form(&self) -> Result<Uri, TargetError> {
        let authority = self.host_header()?;
        Uri::builder()
            .scheme(self.url.scheme())
            .authority(authority.as_bytes())
            .path_and_query(self.origin_form()?.to_string())
            .build()
            .map_err(|_| TargetError::Path)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.url.as_str())
    }
}

/// Without the query, which may hold a key.
impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.url.scheme(), self.authority(), self.url.path())
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Address(IpAddr::V4(address)) => address.fmt(f),
            Self::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::address::kind_of;

    proptest! {
        #[test]
        fn what_was_parsed_parses_to_itself(text in "(http|https|HTTP):/{0,3}[\\PC]{0,12}(\\.|:|@|\\\\|%2[0-9a-f]|\\[|\\]|0x|[0-9]{1,10}){0,6}[\\PC]{0,6}|http://a\\.test/[\\PC?#]{0,20}") {
            if let Ok(target) = Target::parse(&text) {
                let again = Target::parse(&target.to_string()).unwrap();
                prop_assert_eq!(again.host(), target.host());
                prop_assert_eq!(again.authority(), target.authority());
                // An allowance made from the refusal is the one that is looked up.
                prop_assert_eq!(&target.authority().to_string().parse::<Authority>().unwrap(), &target.authority());
                prop_assert!(target.host_header().is_ok() && target.origin_form().is_ok() && target.absolute_form().is_ok());
            }
        }
    }

    #[test]
    fn every_spelling_of_an_address_becomes_the_address() {
        for spelling in [
            "http://127.0.0.1/",
            "http://127.0.0.1./",
            "http://127.1/",
            "http://127.0.1/",
            "http://2130706433/",
            "http://0x7f000001/",
            "http://0x7f.1/",
            "http://0X7F.0.0.1/",
            "http://0177.0.0.1/",
            "http://017700000001/",
            "http://127.0.0.0x1/",
            "http://0/",
            "http://0.0.0.0/",
            "http://[::1]/",
            "http://[0:0:0:0:0:0:0:1]/",
            "http://[::ffff:7f00:1]/",
            "http://[::ffff:127.0.0.1]/",
            "http://[0:0:0:0:0:ffff:7f00:0001]/",
            "http://[::127.0.0.1]/",
            "http://[::]/",
            "http://%31%32%37.0.0.1/",
            "http://127%2e0%2e0%2e1/",
            "http://127。0。0。1/",
            "http://①②⑦.0.0.1/",
            "http://127.0.0.1/",
            "http:127.0.0.1/",
            "http:\\\\127.0.0.1\\",
            "http:///127.0.0.1/",
            "\thttp://127.0.0.1/ ",
            "http://127.0.\n0.1/",
            "HTTP://127.0.0.1/",
            "http://169.254.169.254/latest/meta-data/",
            "http://2852039166/",
            "http://0xa9fea9fe/",
            "http://0251.0376.0251.0376/",
            "http://[::ffff:a9fe:a9fe]/",
            "http://[fd00:ec2::254]/",
        ] {
            let target = Target::parse(spelling).unwrap_or_else(|error| panic!("{spelling}: {error}"));
            let Host::Address(address) = target.host() else { panic!("{spelling} became {:?}", target.host()) };
            assert!(kind_of(*address).is_some(), "{spelling} became {address}");
        }
    }

    #[test]
    fn what_is_no_plain_http_address_is_refused() {
        for text in [
            "",
            "example.com",
            "//example.com/",
            "ftp://example.com/",
            "file:///etc/passwd",
            "gopher://127.0.0.1:11211/",
            "unix:/run/docker.sock",
            "data:text/plain,hello",
            "http://",
            "http://./",
            "http://user@127.0.0.1/",
            "http://example.com@127.0.0.1/",
            "http://user:password@example.com/",
            "http://example.com:0/",
            "http://example.com:65536/",
            "http://256.256.256.256/",
            "http://1.2.3.4.5/",
            "http://[fe80::1%25eth0]/",
            "http://[fe80::1%eth0]/",
            "http://exa mple.com/",
            "http://exa\"mple.com/",
            "http://*.example.com/",
            "http://example.com%00.evil.test/",
            "http://example.com%2f.evil.test/",
        ] {
            assert!(Target::parse(text).is_err(), "{text} was taken");
        }
        assert!(Target::parse(&format!("http://example.com/{}", "a".repeat(MAX_URL_BYTES))).is_err());
    }

    #[test]
    fn a_confusing_authority_goes_where_it_says_in_the_end() {
        let target = Target::parse("http://example.com#@127.0.0.1/").unwrap();
        assert_eq!(*target.host(), Host::Name("example.com".to_owned()));
        let target = Target::parse("http://example.com\\@127.0.0.1/").unwrap();
        assert_eq!(*target.host(), Host::Name("example.com".to_owned()));
    }

    #[test]
    fn names_are_folded_and_lose_their_trailing_dot() {
        let target = Target::parse("https://LocalHost.:8443/v1?a=b#part").unwrap();
        assert_eq!(target.authority().to_string(), "localhost:8443");
        assert_eq!(target.host_header().unwrap(), "localhost:8443");
        assert_eq!(target.origin_form().unwrap(), "/v1?a=b");
        assert_eq!(target.absolute_form().unwrap(), "https://localhost:8443/v1?a=b");
    }

    #[test]
    fn the_debug_form_hides_the_query() {
        let target = Target::parse("https://example.com/v1?key=secret").unwrap();
        assert_eq!(format!("{target:?}"), "https://example.com:443/v1");
    }
}
