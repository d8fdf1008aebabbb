//! Where attempts come from.

use super::KEY;
use crate::seal::Sealer;
use std::net::{IpAddr, Ipv6Addr};

/// An IPv4 address, or the /64 of an IPv6 address: the least that someone is given, so that another address within it
/// is no other visitor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Network(IpAddr);

impl Network {
    /// The network of an address. One of IPv4 is the same where it is mapped into IPv6.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self(address.into()),
            IpAddr::V6(address) => {
                let prefix = u128::from(address) >> 64 << 64;
                Self(Ipv6Addr::from(prefix).into())
            }
        }
    }

    /// The /48 that it is part of: what a site is given (RFC 6177). Nothing for IPv4.
    pub(super) fn site(self) -> Option<[u8; 16]> {
        match self.0 {
            IpAddr::V4(_) => None,
            IpAddr::V6(address) => Some((u128::from(address) >> 80 << 80).to_be_bytes()),
        }
    }

    /// What it is remembered by as one where a user was, of which the database tells nothing.
    #[must_use]
    pub fn familiar(self, sealer: &Sealer) -> [u8; KEY] {
        sealer.digest("familiar network", &[&self.octets()])
    }

    /// All 16 bytes, of IPv4 as it is mapped into IPv6.
    pub(super) fn octets(self) -> [u8; 16] {
        match self.0 {
            IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
            IpAddr::V6(address) => address.octets(),
        }
    }
}
