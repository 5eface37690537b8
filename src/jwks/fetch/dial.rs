//! Which addresses are never dialled: link-local ones, and those of clouds' metadata services.
//!
//! What answers there hands out credentials of this machine; no issuer lives there.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    pin::Pin,
    sync::Arc,
};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use thiserror::Error;

/// An address that is never dialled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("address refused")]
pub(super) struct Forbidden;

/// A name of which nobody knows an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("name not resolved")]
pub(super) struct Unresolved;

/// Who knows the addresses of a name.
pub(super) trait Names: Send + Sync + 'static {
    /// Every address of `host`.
    fn addresses(&self, host: Name) -> Asking;
}

/// An answer under way.
pub(super) type Asking = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>>;

/// The resolver of the machine.
pub(super) struct System;

impl Names for System {
    fn addresses(&self, host: Name) -> Asking {
        Box::pin(async move { Ok(tokio::net::lookup_host((host.as_str(), 0)).await?.collect()) })
    }
}

/// Asks at each new connection, and passes over what must not be dialled.
pub(super) struct Resolver(pub(super) Arc<dyn Names>);

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let names = self.0.clone();
        Box::pin(async move {
            permit(name.as_str())?;
            let found = names.addresses(name).await.unwrap_or_default();
            if found.is_empty() {
                return Err(Unresolved.into());
            }
            let addresses: Addrs = Box::new(permitted(found)?.into_iter());
            Ok(addresses)
        })
    }
}

/// Refuses a host that is such an address, or a name that only clouds answer. Other names are
/// judged by what they resolve to.
pub(super) fn permit(host: &str) -> Result<(), Forbidden> {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let name = bare.trim_end_matches('.');
    let forbidden = bare.parse().is_ok_and(is_forbidden)
        || METADATA_NAMES.iter().any(|metadata| name.eq_ignore_ascii_case(metadata));
    if forbidden { Err(Forbidden) } else { Ok(()) }
}

/// Those of `found` that may be dialled; one at least.
fn permitted(found: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, Forbidden> {
    let left: Vec<_> = found.into_iter().filter(|address| !is_forbidden(address.ip())).collect();
    if left.is_empty() { Err(Forbidden) } else { Ok(left) }
}

fn is_forbidden(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_forbidden_v4(ip),
        IpAddr::V6(ip) => {
            let [first, ..] = ip.segments();
            first & 0xffc0 == 0xfe80
                || METADATA_V6.contains(&ip)
                || embedded(ip).into_iter().any(is_forbidden_v4)
        }
    }
}

fn is_forbidden_v4(ip: Ipv4Addr) -> bool {
    ip.is_link_local() || METADATA_V4.contains(&ip)
}

/// The IPv4 addresses that an IPv6 one may stand for: mapped and compatible (RFC 4291 section
/// 2.5.5), translated (RFC 7915), NAT64 (RFC 6052, also with the prefix of RFC 8215 alone), 6to4
/// (RFC 3056).
fn embedded(ip: Ipv6Addr) -> Vec<Ipv4Addr> {
    let v4 = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        Ipv4Addr::new(a, b, c, d)
    };
    match ip.segments() {
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low] => vec![v4(high, low)],
        [0, 0, 0, 0, 0xffff, 0, high, low] => vec![v4(high, low)],
        [0x64, 0xff9b, 1, high, middle, low, after, last] => {
            let split = (middle << 8) | (low >> 8);
            vec![v4(high, split), v4(after, last)]
        }
        [0x64, 0xff9b, .., high, low] => vec![v4(high, low)],
        [0x2002, high, low, ..] => vec![v4(high, low)],
        _other => Vec::new(),
    }
}

/// Alibaba Cloud, Oracle Cloud and Azure; those of the others are link-local.
const METADATA_V4: [Ipv4Addr; 3] = [
    Ipv4Addr::new(100, 100, 100, 200),
    Ipv4Addr::new(192, 0, 0, 192),
    Ipv4Addr::new(168, 63, 129, 16),
];
/// AWS (its metadata, and the credentials of a pod in EKS), Google Cloud and Scaleway.
const METADATA_V6: [Ipv6Addr; 4] = [
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254),
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23),
    Ipv6Addr::new(0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42),
    Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254),
];
/// Behind a proxy only the name tells.
const METADATA_NAMES: [&str; 7] = [
    "metadata",
    "metadata.google.internal",
    "metadata.goog",
    "instance-data",
    "instance-data.ec2.internal",
    "metadata.tencentyun.com",
    "api.metadata.cloud.ibm.com",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(host: &str, expected: Result<(), Forbidden>) {
        assert_eq!(permit(host), expected, "{host}");
    }

    #[test]
    fn link_local_and_metadata_addresses_are_refused() {
        for host in [
            "169.254.169.254",
            "169.254.0.0",
            "169.254.255.255",
            "100.100.100.200",
            "192.0.0.192",
            "168.63.129.16",
            "[fe80::1]",
            "febf:ffff::1",
            "[fd00:ec2::254]",
            "[fd20:ce::254]",
            "[fd00:ec2::23]",
            "[fd00:42::42]",
        ] {
            check(host, Err(Forbidden));
        }
    }

    #[test]
    fn an_ipv6_form_of_a_refused_address_is_refused() {
        for host in [
            "[::ffff:169.254.169.254]",
            "[::ffff:a9fe:a9fe]",
            "[::169.254.169.254]",
            "[64:ff9b::169.254.169.254]",
            "[64:ff9b:1::a9fe:a9fe]",
            "[64:ff9b:1:a9fe:a9:fe00::]",
            "[::ffff:0:169.254.169.254]",
            "[2002:a9fe:a9fe::]",
            "[::ffff:100.100.100.200]",
        ] {
            check(host, Err(Forbidden));
        }
    }

    #[test]
    fn the_names_of_metadata_services_are_refused() {
        for host in ["metadata.google.internal", "Metadata.Google.Internal.", "metadata"] {
            check(host, Err(Forbidden));
        }
    }

    #[test]
    fn others_are_dialled() {
        for host in [
            "127.0.0.1",
            "169.253.255.255",
            "169.255.0.0",
            "100.100.100.201",
            "10.0.0.1",
            "[::1]",
            "[fec0::1]",
            "[fd00:ec2::253]",
            "[::ffff:10.0.0.1]",
            "[64:ff9b::10.0.0.1]",
            "[64:ff9b:1:a00:0:100::]",
            "idp.example.com",
            "metadata.example.com",
        ] {
            check(host, Ok(()));
        }
    }

    #[test]
    fn a_name_is_judged_by_what_it_resolves_to() {
        let at = |ip: &str| SocketAddr::new(ip.parse().unwrap(), 0);
        let (good, bad) = (at("192.0.2.1"), at("169.254.169.254"));
        assert_eq!(permitted(vec![bad, good]), Ok(vec![good]));
        assert_eq!(permitted(vec![bad, at("::ffff:169.254.169.254")]), Err(Forbidden));
    }
}
