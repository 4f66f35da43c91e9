//! The client identifier. Source: `gravitee-v4.md` §3.6.

use std::net::IpAddr;

use aws_lc_rs::digest;
use http::{HeaderName, HeaderValue};

/// Carries the identifier in both directions.
pub(super) static CLIENT_IDENTIFIER: HeaderName =
    HeaderName::from_static("x-gravitee-client-identifier");

/// Places of the cache; a power of two.
const PLACES: usize = 256;

const HEX: &[u8; 16] = b"0123456789abcdef";

/// Identifiers of anonymous clients: the SHA-256 of their address in hexadecimal.
///
/// The last ones are kept, so that a busy client costs one comparison.
#[derive(Debug)]
pub(super) struct ClientIdentifiers {
    places: Box<[Option<(IpAddr, HeaderValue)>]>,
    hasher: ahash::RandomState,
}

impl Default for ClientIdentifiers {
    fn default() -> Self {
        Self {
            places: vec![None; PLACES].into(),
            hasher: ahash::RandomState::new(),
        }
    }
}

impl ClientIdentifiers {
    /// The identifier of an anonymous client.
    pub(super) fn of_address(&mut self, address: IpAddr) -> HeaderValue {
        let hash = usize::try_from(self.hasher.hash_one(address) & 0xffff).unwrap_or(0);
        let place = &mut self.places[hash % PLACES];
        if let Some((known, identifier)) = place
            && *known == address
        {
            return identifier.clone();
        }
        let digest = digest::digest(&digest::SHA256, address.to_string().as_bytes());
        let mut text = Vec::with_capacity(2 * digest.as_ref().len());
        for byte in digest.as_ref() {
            text.push(HEX[usize::from(byte >> 4)]);
            text.push(HEX[usize::from(byte & 0x0f)]);
        }
        let identifier = HeaderValue::from_bytes(&text).unwrap_or(HeaderValue::from_static(""));
        *place = Some((address, identifier.clone()));
        identifier
    }
}

/// The internal identifier: the computed one, behind what the client gave itself.
pub(super) fn combined(
    given: Option<&HeaderValue>,
    computed: HeaderValue,
    transaction: &HeaderValue,
) -> HeaderValue {
    let Some(given) = given.filter(|given| !given.is_empty()) else {
        return computed;
    };
    let is_ours = given.as_bytes().ends_with(computed.as_bytes())
        || given.as_bytes().ends_with(transaction.as_bytes());
    if is_ours {
        return given.clone();
    }
    let joined = [given.as_bytes(), b"-", computed.as_bytes()].concat();
    HeaderValue::from_bytes(&joined).unwrap_or(computed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_anonymous_client_is_the_hash_of_its_address() {
        let mut identifiers = ClientIdentifiers::default();
        let address: IpAddr = "127.0.0.1".parse().unwrap();
        let expected = "12ca17b49af2289436f303e0166030a21e525d266e209267433801a8fd4071a0";
        assert_eq!(identifiers.of_address(address), expected);
        assert_eq!(identifiers.of_address(address), expected);
        let other = identifiers.of_address("127.0.0.2".parse().unwrap());
        assert_ne!(other, expected);
    }

    #[test]
    fn a_given_identifier_gets_the_computed_one_as_its_end() {
        let text = HeaderValue::from_static;
        for (given, expected) in [
            (None, "sub"),
            (Some(text("")), "sub"),
            (Some(text("me")), "me-sub"),
            (Some(text("me-sub")), "me-sub"),
            (Some(text("me-tx")), "me-tx"),
        ] {
            assert_eq!(combined(given.as_ref(), text("sub"), &text("tx")), expected);
        }
    }
}
