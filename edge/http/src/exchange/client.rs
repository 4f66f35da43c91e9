//! The client identifier. Source: `gravitee-v4.md` §3.6.

use std::{net::IpAddr, sync::Arc};

use aws_lc_rs::digest;
use http::{HeaderName, HeaderValue};
use tidegate_policy::SubscriptionFacts;

use crate::plan::anonymous_subscription;

/// Carries the identifier in both directions.
pub(super) static CLIENT_IDENTIFIER: HeaderName =
    HeaderName::from_static("x-gravitee-client-identifier");

/// Places of the cache; a power of two.
const PLACES: usize = 256;

const HEX: &[u8; 16] = b"0123456789abcdef";

/// What is made of the address of a client that does not identify itself.
#[derive(Debug, Clone)]
pub(super) struct AnonymousClient {
    /// The SHA-256 of the address in hexadecimal.
    pub(super) identifier: HeaderValue,
    /// The subscription it counts as.
    pub(super) subscription: Arc<SubscriptionFacts>,
}

/// The last anonymous clients, so that a busy one costs one comparison.
#[derive(Debug)]
pub(super) struct AnonymousClients {
    places: Box<[Option<(IpAddr, AnonymousClient)>]>,
    hasher: ahash::RandomState,
}

impl Default for AnonymousClients {
    fn default() -> Self {
        Self {
            places: vec![None; PLACES].into(),
            hasher: ahash::RandomState::new(),
        }
    }
}

impl AnonymousClients {
    /// The client of an address.
    pub(super) fn of_address(&mut self, address: IpAddr) -> &AnonymousClient {
        let hash = usize::try_from(self.hasher.hash_one(address) & 0xffff).unwrap_or(0);
        let place = &mut self.places[hash % PLACES];
        if place.as_ref().is_some_and(|(known, _)| *known != address) {
            *place = None;
        }
        &place
            .get_or_insert_with(|| (address, AnonymousClient::new(address)))
            .1
    }
}

impl AnonymousClient {
    fn new(address: IpAddr) -> Self {
        let address = address.to_string();
        let digest = digest::digest(&digest::SHA256, address.as_bytes());
        let mut text = Vec::with_capacity(2 * digest.as_ref().len());
        for byte in digest.as_ref() {
            text.push(HEX[usize::from(byte >> 4)]);
            text.push(HEX[usize::from(byte & 0x0f)]);
        }
        Self {
            identifier: HeaderValue::from_bytes(&text).unwrap_or(HeaderValue::from_static("")),
            subscription: Arc::new(anonymous_subscription(&address)),
        }
    }
}

/// The internal identifier: the computed one, behind what the client gave itself.
pub(super) fn combined(
    given: Option<HeaderValue>,
    computed: HeaderValue,
    transaction: &HeaderValue,
) -> HeaderValue {
    let Some(given) = given.filter(|given| !given.is_empty()) else {
        return computed;
    };
    let is_ours = given.as_bytes().ends_with(computed.as_bytes())
        || given.as_bytes().ends_with(transaction.as_bytes());
    if is_ours {
        return given;
    }
    let joined = [given.as_bytes(), b"-", computed.as_bytes()].concat();
    HeaderValue::from_bytes(&joined).unwrap_or(computed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_anonymous_client_is_the_hash_of_its_address() {
        let mut identifiers = AnonymousClients::default();
        let address: IpAddr = "127.0.0.1".parse().unwrap();
        let expected = "12ca17b49af2289436f303e0166030a21e525d266e209267433801a8fd4071a0";
        assert_eq!(identifiers.of_address(address).identifier, expected);
        assert_eq!(identifiers.of_address(address).identifier, expected);
        let other = identifiers.of_address("127.0.0.2".parse().unwrap()).clone();
        assert_ne!(other.identifier, expected);
        assert_eq!(other.subscription.id.as_str(), "127.0.0.2");
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
            assert_eq!(combined(given, text("sub"), &text("tx")), expected);
        }
    }
}
