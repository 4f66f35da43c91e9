//! Which addresses a target may be connected to.

use std::net::{IpAddr, SocketAddr};

use super::UpstreamError;

/// The metadata service of one large cloud over IPv6; all others are link-local.
const METADATA_V6: [u16; 8] = [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254];

/// Which addresses a target may be connected to. Checked on what a name resolves to, right before the
/// connection: a check of the name alone would miss names that point there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum AddressRule {
    /// Every address.
    #[default]
    Any,
    /// Everything but link-local addresses, where clouds serve the credentials of the machine:
    /// 169.254.0.0/16, fe80::/10 and fd00:ec2::254.
    NotLinkLocal,
}

impl AddressRule {
    /// Leaves the addresses that may be called.
    pub(super) fn filter(
        self,
        mut addresses: Vec<SocketAddr>,
    ) -> Result<Vec<SocketAddr>, UpstreamError> {
        if self == AddressRule::Any {
            return Ok(addresses);
        }
        let first = addresses.first().map(SocketAddr::ip);
        addresses.retain(|address| !is_link_local(address.ip()));
        match first {
            Some(first) if addresses.is_empty() => Err(UpstreamError::Forbidden(first)),
            _ => Ok(addresses),
        }
    }
}

fn is_link_local(address: IpAddr) -> bool {
    // An IPv4 address has IPv6 spellings that lead to the same machine.
    match address.to_canonical() {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => {
            let compatible = address.to_ipv4().is_some_and(|v4| v4.is_link_local());
            compatible || address.is_unicast_link_local() || address.segments() == METADATA_V6
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn link_local_addresses_are_refused_in_every_spelling() {
        for (address, is_refused) in [
            ("169.254.169.254:80", true),
            ("[::ffff:169.254.169.254]:80", true),
            ("[::169.254.169.254]:80", true),
            ("[fe80::1]:80", true),
            ("[fd00:ec2::254]:80", true),
            ("127.0.0.1:80", false),
            ("10.0.0.1:80", false),
            ("[2001:db8::1]:80", false),
        ] {
            let address: SocketAddr = address.parse().unwrap();
            let left = AddressRule::NotLinkLocal.filter(vec![address]);
            assert_eq!(left.is_err(), is_refused, "{address}");
            assert_eq!(AddressRule::Any.filter(vec![address]).unwrap(), [address]);
        }
    }

    #[test]
    fn a_name_with_mixed_addresses_keeps_the_others() {
        let addresses = ["169.254.1.1:80", "192.0.2.1:80"].map(|text| text.parse().unwrap());
        let left = AddressRule::NotLinkLocal
            .filter(addresses.to_vec())
            .unwrap();
        assert_eq!(left, [addresses[1]]);
    }
}
