//! Addresses that nobody else may make this machine call.

use std::net::IpAddr;

/// The metadata service of one large cloud over IPv6; all others are link-local.
const METADATA_V6: [u16; 8] = [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254];

/// True for addresses where clouds serve the credentials of the machine: 169.254.0.0/16, fe80::/10 and fd00:ec2::254,
/// in every spelling.
#[must_use]
pub fn is_link_local(address: IpAddr) -> bool {
    // An IPv4 address has IPv6 spellings that lead to the same machine.
    match address.to_canonical() {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => {
            let compatible = address.to_ipv4().is_some_and(|v4| v4.is_link_local());
            compatible || address.is_unicast_link_local() || address.segments() == METADATA_V6
        }
    }
}
