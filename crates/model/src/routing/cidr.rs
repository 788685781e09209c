//! A range of IP addresses, as `10.0.0.0/8`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// The length of the prefix that all IPv4 addresses mapped into IPv6 share. Source: RFC 4291 section 2.5.5.2.
const MAPPED: u8 = 96;

/// An IPv4 or IPv6 network; an address without a prefix length is a network of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cidr {
    network: IpAddr,
    prefix: u8,
}

/// A text that is not a range of addresses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a range of addresses like 10.0.0.0/8 or fd00::/8")]
pub struct CidrError {
    text: String,
}

impl Cidr {
    /// Addresses of this machine itself.
    pub const LOOPBACK: [Self; 2] = [
        Self { network: IpAddr::V4(Ipv4Addr::new(127, 0, 0, 0)), prefix: 8 },
        Self { network: IpAddr::V6(Ipv6Addr::LOCALHOST), prefix: 128 },
    ];

    /// Those, and networks that no stranger can send from: of RFC 1918 and RFC 4193.
    pub const PRIVATE: [Self; 6] = [
        Self::LOOPBACK[0],
        Self::LOOPBACK[1],
        Self { network: IpAddr::V4(Ipv4Addr::new(10, 0, 0, 0)), prefix: 8 },
        Self { network: IpAddr::V4(Ipv4Addr::new(172, 16, 0, 0)), prefix: 12 },
        Self { network: IpAddr::V4(Ipv4Addr::new(192, 168, 0, 0)), prefix: 16 },
        Self { network: IpAddr::V6(Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0)), prefix: 7 },
    ];

    /// Whether `address` lies in the range. An IPv4 address mapped into IPv6 counts as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        let (first, last) = self.bounds();
        (first..=last).contains(&address.to_canonical())
    }

    /// Its first and its last address.
    pub(super) fn bounds(&self) -> (IpAddr, IpAddr) {
        match self.network {
            IpAddr::V4(network) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.prefix)).unwrap_or(0);
                let (first, last) = (network.to_bits() & mask, network.to_bits() | !mask);
                (Ipv4Addr::from_bits(first).into(), Ipv4Addr::from_bits(last).into())
            }
            IpAddr::V6(network) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(self.prefix)).unwrap_or(0);
                let (first, last) = (network.to_bits() & mask, network.to_bits() | !mask);
                (Ipv6Addr::from_bits(first).into(), Ipv6Addr::from_bits(last).into())
            }
        }
    }

    fn split(text: &str) -> Option<Self> {
        let (network, prefix) = match text.split_once('/') {
            Some((network, prefix)) => (network.parse().ok()?, Some(prefix.parse().ok()?)),
            None => (text.parse().ok()?, None),
        };
        let longest = if matches!(network, IpAddr::V4(_)) { 32 } else { 128 };
        let prefix = prefix.unwrap_or(longest);
        (prefix <= longest).then_some(Self { network, prefix }.canonical())
    }

    /// The same as a range of IPv4 if all its addresses are mapped ones: those are compared as IPv4.
    fn canonical(self) -> Self {
        match (self.network, self.prefix.checked_sub(MAPPED)) {
            (IpAddr::V6(network), Some(prefix)) => match network.to_ipv4_mapped() {
                Some(network) => Self { network: network.into(), prefix },
                None => self,
            },
            _ => self,
        }
    }
}

impl CidrError {
    pub(super) fn new(text: &str) -> Self {
        Self { text: text.to_owned() }
    }
}

impl FromStr for Cidr {
    type Err = CidrError;

    fn from_str(text: &str) -> Result<Self, CidrError> {
        Self::split(text.trim()).ok_or_else(|| CidrError::new(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(range: &str, address: &str, expected: bool) {
        let range: Cidr = range.parse().unwrap();
        assert_eq!(range.contains(address.parse().unwrap()), expected, "{address} in {range:?}");
    }

    #[test]
    fn a_range_holds_the_addresses_that_share_its_prefix() {
        check("10.0.0.0/8", "10.200.3.4", true);
        check("10.0.0.0/8", "11.0.0.1", false);
        check("10.1.2.3", "10.1.2.3", true);
        check("10.1.2.3", "10.1.2.4", false);
        check("0.0.0.0/0", "203.0.113.9", true);
        check("0.0.0.0/0", "2001:db8::1", false);
        check("10.0.0.0/8", "::ffff:10.0.0.1", true);
        check("fd00::/8", "fd12::1", true);
        check("::/0", "2001:db8::1", true);
        check("::1", "::2", false);
    }

    #[test]
    fn a_range_of_mapped_addresses_is_one_of_ipv4() {
        check("::ffff:127.0.0.1", "127.0.0.1", true);
        check("::ffff:127.0.0.1", "::ffff:127.0.0.1", true);
        check("::ffff:127.0.0.1", "127.0.0.2", false);
        check("::ffff:10.0.0.0/104", "10.200.3.4", true);
        check("::ffff:10.0.0.0/104", "11.0.0.1", false);
        check("::ffff:0:0/96", "203.0.113.9", true);
        check("::ffff:0:0/96", "2001:db8::1", false);
        check("::ffff:0:0/95", "::fffe:0:1", true);
    }

    #[test]
    fn other_texts_are_refused() {
        for text in ["", "10.0.0.0/33", "::/129", "10.0.0.0/x", "example.com", "10.0.0.0/-1", "/8"] {
            assert!(text.parse::<Cidr>().is_err(), "{text:?}");
        }
    }
}
