//! Which addresses are the public internet, and what the others are (IANA special-purpose registries, RFC 6890).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What an address outside the public internet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AddressKind {
    /// This machine: 127.0.0.0/8, ::1.
    Loopback,
    /// A private network: RFC 1918, RFC 6598 (carrier-grade NAT), unique local IPv6.
    Private,
    /// Link-local, which is where clouds put their metadata services.
    LinkLocal,
    /// A metadata or platform service that a cloud keeps outside the link-local range.
    Metadata,
    /// 0.0.0.0 and ::, which many systems take for this machine.
    Unspecified,
    Multicast,
    /// Everything else that no service on the internet has: documentation, benchmarking, reserved, broadcast, retired
    /// ways of carrying IPv4 in IPv6.
    Reserved,
}

impl AddressKind {
    /// Whether allowing a *name* is enough to reach such an address behind it. For the others the administrator must
    /// allow the address itself as well, so that a DNS answer alone never leads to a metadata service.
    pub const fn is_covered_by_name(self) -> bool {
        matches!(self, Self::Loopback | Self::Private)
    }
}

impl fmt::Display for AddressKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Loopback => "loopback",
            Self::Private => "private",
            Self::LinkLocal => "link-local",
            Self::Metadata => "cloud metadata",
            Self::Unspecified => "unspecified",
            Self::Multicast => "multicast",
            Self::Reserved => "reserved",
        })
    }
}

/// `None` for an address of the public internet. IPv4 inside IPv6 is judged by the IPv4 address it stands for.
pub fn kind_of(address: IpAddr) -> Option<AddressKind> {
    match address {
        IpAddr::V4(address) => kind_of_v4(address),
        IpAddr::V6(address) => kind_of_v6(address),
    }
}

const fn kind_of_v4(address: Ipv4Addr) -> Option<AddressKind> {
    Some(match address.octets() {
        [0, 0, 0, 0] => AddressKind::Unspecified,
        [127, ..] => AddressKind::Loopback,
        [169, 254, ..] => AddressKind::LinkLocal,
        // Alibaba Cloud; Oracle Cloud; Azure's platform address, which is otherwise a public one.
        [100, 100, 100, 200] | [192, 0, 0, 192] | [168, 63, 129, 16] => AddressKind::Metadata,
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] | [100, 64..=127, ..] => AddressKind::Private,
        [224..=239, ..] => AddressKind::Multicast,
        [0 | 240..=255, ..]
        | [192, 0, 0 | 2, _]
        | [192, 88, 99, _]
        | [198, 18 | 19, ..]
        | [198, 51, 100, _]
        | [203, 0, 113, _] => AddressKind::Reserved,
        _ => return None,
    })
}

const fn kind_of_v6(address: Ipv6Addr) -> Option<AddressKind> {
    let segments = address.segments();
    match segments {
        [0, 0, 0, 0, 0, 0, 0, 0] => Some(AddressKind::Unspecified),
        [0, 0, 0, 0, 0, 0, 0, 1] => Some(AddressKind::Loopback),
        // AWS keeps its metadata service here for machines with IPv6 only.
        [0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x0254] => Some(AddressKind::Metadata),
        // IPv4-mapped (RFC 4291): the system connects to the IPv4 address. NAT64 (RFC 6052): networks without IPv4
        // reach the public IPv4 internet through it.
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => kind_of_v4(v4(high, low)),
        // IPv4-compatible, IPv4-translated and 6to4 are retired: named after what they carry, and never public.
        [0, 0, 0, 0, 0 | 0xffff, 0, high, low] | [0x2002, high, low, ..] => match kind_of_v4(v4(high, low)) {
            Some(kind) => Some(kind),
            None => Some(AddressKind::Reserved),
        },
        [0x0064, 0xff9b, 1, ..] | [0xfc00..=0xfdff | 0xfec0..=0xfeff, ..] => Some(AddressKind::Private),
        [0xfe80..=0xfebf, ..] => Some(AddressKind::LinkLocal),
        [0xff00..=0xffff, ..] => Some(AddressKind::Multicast),
        // Protocol assignments with Teredo and ORCHID, documentation (two ranges), the retired 6bone.
        [0x2001, 0..=0x01ff | 0x0db8, ..] | [0x3fff, 0..=0x0fff, ..] | [0x3ffe, ..] => Some(AddressKind::Reserved),
        // Of all IPv6 only 2000::/3 has been given out.
        [0x2000..=0x3fff, ..] => None,
        _ => Some(AddressKind::Reserved),
    }
}

const fn v4(high: u16, low: u16) -> Ipv4Addr {
    let [a, b] = high.to_be_bytes();
    let [c, d] = low.to_be_bytes();
    Ipv4Addr::new(a, b, c, d)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(text: &str) -> Option<AddressKind> {
        kind_of(text.parse().unwrap())
    }

    #[test]
    fn addresses_of_the_public_internet_pass() {
        for address in [
            "1.1.1.1",
            "8.8.8.8",
            "100.63.255.255",
            "100.128.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.1",
            "223.255.255.255",
            "2606:4700:4700::1111",
            "2a00:1450:4001:81b::200e",
            "2001:4860:4860::8888",
            "64:ff9b::8.8.8.8",
            "::ffff:8.8.8.8",
        ] {
            assert_eq!(kind(address), None, "{address}");
        }
    }

    #[test]
    fn every_other_range_is_named() {
        use AddressKind::{LinkLocal, Loopback, Metadata, Multicast, Private, Reserved, Unspecified};
        for (address, expected) in [
            ("0.0.0.0", Unspecified),
            ("0.1.2.3", Reserved),
            ("10.0.0.1", Private),
            ("10.255.255.255", Private),
            ("100.64.0.1", Private),
            ("100.100.100.200", Metadata),
            ("100.127.255.255", Private),
            ("127.0.0.1", Loopback),
            ("127.255.255.254", Loopback),
            ("168.63.129.16", Metadata),
            ("169.254.169.254", LinkLocal),
            ("169.254.170.2", LinkLocal),
            ("172.16.0.1", Private),
            ("172.31.255.255", Private),
            ("192.0.0.8", Reserved),
            ("192.0.0.192", Metadata),
            ("192.0.2.1", Reserved),
            ("192.88.99.1", Reserved),
            ("192.168.1.1", Private),
            ("198.18.0.1", Reserved),
            ("198.19.255.255", Reserved),
            ("198.51.100.7", Reserved),
            ("203.0.113.7", Reserved),
            ("224.0.0.1", Multicast),
            ("239.255.255.250", Multicast),
            ("240.0.0.1", Reserved),
            ("255.255.255.255", Reserved),
            ("::", Unspecified),
            ("::1", Loopback),
            ("::2", Reserved),
            ("::8.8.8.8", Reserved),
            ("::127.0.0.1", Loopback),
            ("::ffff:127.0.0.1", Loopback),
            ("::ffff:7f00:1", Loopback),
            ("::ffff:a9fe:a9fe", LinkLocal),
            ("::ffff:0:127.0.0.1", Loopback),
            ("64:ff9b::127.0.0.1", Loopback),
            ("64:ff9b::a9fe:a9fe", LinkLocal),
            ("64:ff9b:1::1", Private),
            ("100::1", Reserved),
            ("2001::1", Reserved),
            ("2001:0:4136:e378:8000:63bf:3fff:fdd2", Reserved),
            ("2001:10::1", Reserved),
            ("2001:20::1", Reserved),
            ("2001:db8::1", Reserved),
            ("2002:7f00:1::", Loopback),
            ("2002:808:808::", Reserved),
            ("3ffe::1", Reserved),
            ("3fff::1", Reserved),
            ("4000::1", Reserved),
            ("5f00::1", Reserved),
            ("fc00::1", Private),
            ("fd00:ec2::254", Metadata),
            ("fe80::1", LinkLocal),
            ("fec0::1", Private),
            ("ff02::1", Multicast),
        ] {
            assert_eq!(kind(address), Some(expected), "{address}");
        }
    }
}
