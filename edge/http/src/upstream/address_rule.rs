//! Which addresses a target may be connected to.

use std::net::SocketAddr;

use tidegate_model::is_link_local;

use super::UpstreamError;

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
