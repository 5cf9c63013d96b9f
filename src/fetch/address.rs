//! Decides which addresses names and redirects may lead to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

/// Returns whether the address is private, local or not globally routable; names and redirects from
/// elsewhere must never lead to it.
pub(super) fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => is_private_v4(v4),
        IpAddr::V6(v6) => is_private_v6(v6),
    }
}

fn is_private_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    // Beyond what std provides: this network, carrier-grade NAT, protocol assignments,
    // benchmarking, 6to4 relays, and everything from multicast up.
    ip.is_private()
        || ip.is_loopback()
        || ip.is_link_local()
        || ip.is_documentation()
        || a == 0
        || (a == 100 && b & 0xc0 == 64)
        || (a == 192 && b == 0 && c == 0)
        || (a == 198 && b & 0xfe == 18)
        || (a == 192 && b == 88 && c == 99)
        || a >= 224
}

fn is_private_v6(ip: Ipv6Addr) -> bool {
    let embedded =
        |at: [u16; 2]| is_private_v4(Ipv4Addr::from((u32::from(at[0]) << 16) | u32::from(at[1])));
    match ip.segments() {
        // Mapped and translated addresses, NAT64, 6to4, and the deprecated compatible form (which
        // covers `::` and `::1`, both within 0.0.0.0/8).
        [0, 0, 0, 0, 0, 0xffff | 0, high, low]
        | [0, 0, 0, 0, 0xffff, 0, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x2002, high, low, ..] => embedded([high, low]),
        // Documentation, Teredo and the other ranges for protocols.
        [0x2001, next, ..] => next == 0xdb8 || next < 0x200,
        [0x3fff, next, ..] => next < 0x1000,
        // No other ranges are allocated.
        [first, ..] => first & 0xe000 != 0x2000,
    }
}

/// Returns whether the URL's host is, as written, this machine or its network: a literal loopback
/// or private address, or `localhost`. Names are not resolved.
#[must_use]
pub fn is_local(url: &Url) -> bool {
    target(url) != Target::Other
}

/// The kind of host in a URL, as far as can be determined without resolving it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    /// A literal private or loopback address.
    PrivateLiteral,
    /// The name `localhost`.
    Localhost,
    /// A literal public address, or a name, which is checked when it is resolved.
    Other,
}

/// Classifies the host of a URL.
pub(super) fn target(url: &Url) -> Target {
    match url.host() {
        Some(Host::Ipv4(v4)) if is_private_v4(v4) => Target::PrivateLiteral,
        Some(Host::Ipv6(v6)) if is_private_v6(v6) => Target::PrivateLiteral,
        Some(Host::Domain(name)) if is_localhost(name) => Target::Localhost,
        _ => Target::Other,
    }
}

fn is_localhost(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    name == "localhost" || name.ends_with(".localhost")
}

/// Returns whether host and port are the same.
pub(super) fn same_authority(a: &Url, b: &Url) -> bool {
    a.host() == b.host() && a.port_or_known_default() == b.port_or_known_default()
}

/// Returns whether headers sent to `from` may be sent to `to`: the same authority, or the same host
/// moved from the default http port to the default https port.
pub(super) fn same_party(from: &Url, to: &Url) -> bool {
    same_authority(from, to)
        || (from.host() == to.host()
            && from.scheme() == "http"
            && to.scheme() == "https"
            && from.port().is_none()
            && to.port().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_addresses() {
        for ip in [
            "127.0.0.1",
            "127.255.0.9",
            "10.0.0.1",
            "172.16.0.1",
            "172.31.9.9",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "100.127.9.9",
            "0.0.0.0",
            "0.1.2.3",
            "192.0.2.1",
            "198.51.100.1",
            "203.0.113.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "fe80::1",
            "fc00::1",
            "fd12::1",
            "ff02::1",
            "2001:db8::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b::a9fe:a9fe",
            "2002:7f00:1::1",
            "2001::1",
            "fec0::1",
            "3fff::1",
            "64:ff9b:1::1",
        ] {
            assert!(is_private(ip.parse().unwrap()), "{ip}");
        }
    }

    #[test]
    fn public_addresses() {
        for ip in [
            "1.1.1.1",
            "8.8.8.8",
            "100.63.0.1",
            "100.128.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "198.20.0.1",
            "223.255.255.254",
            "2606:4700::1111",
            "2a00:1450::1",
            "::ffff:8.8.8.8",
            "64:ff9b::808:808",
            "2001:200::1",
            "2002:808:808::1",
        ] {
            assert!(!is_private(ip.parse().unwrap()), "{ip}");
        }
    }

    #[test]
    fn every_spelling_of_a_literal() {
        for url in [
            "http://2130706433/",
            "http://0x7f.1/",
            "http://0177.0.0.1/",
            "http://127.1/",
            "http://[::ffff:127.0.0.1]/",
            "http://[0:0:0:0:0:ffff:7f00:1]/",
            "http://１２７.0.0.1/",
            "http://0/",
        ] {
            assert_eq!(target(&Url::parse(url).unwrap()), Target::PrivateLiteral, "{url}");
        }
        for url in ["http://LOCALHOST/", "http://localhost./", "http://a.localhost/"] {
            assert_eq!(target(&Url::parse(url).unwrap()), Target::Localhost, "{url}");
        }
        assert_eq!(target(&Url::parse("http://notlocalhost/").unwrap()), Target::Other);
    }

    #[test]
    fn parties() {
        let is = |a: &str, b: &str| same_party(&Url::parse(a).unwrap(), &Url::parse(b).unwrap());
        assert!(is("http://a.example/x", "http://a.example:80/y"));
        assert!(is("http://a.example/x", "https://a.example/x"));
        assert!(!is("http://a.example:8080/", "https://a.example/"));
        assert!(!is("http://a.example/", "http://b.example/"));
        assert!(!is("http://127.0.0.1:1/", "http://127.0.0.1:2/"));
    }
}
