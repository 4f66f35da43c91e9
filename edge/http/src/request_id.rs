//! Request ids: random UUIDs from a per-worker generator.

use http::HeaderValue;
use rand::{RngCore, SeedableRng as _, rngs::SmallRng};

/// Every octet as two hexadecimal digits.
const OCTETS: [[u8; 2]; 256] = octets();

/// Bytes of a written UUID.
const UUID_BYTES: usize = 36;

/// A fast generator of version 4 UUIDs, seeded by the operating system.
///
/// The ids tell requests apart in logs; they are not secrets and must not be used as such.
#[derive(Debug)]
pub struct RequestIds(SmallRng);

impl RequestIds {
    /// Seeds a generator.
    #[must_use]
    pub fn new() -> Self {
        Self(SmallRng::from_os_rng())
    }

    /// A new id, ready to be sent as a header (one allocation).
    pub fn next_value(&mut self) -> HeaderValue {
        let text = self.next_text();
        HeaderValue::from_bytes(&text).unwrap_or(HeaderValue::from_static(""))
    }

    fn next_text(&mut self) -> [u8; UUID_BYTES] {
        let mut bits = [0_u8; 16];
        self.0.fill_bytes(&mut bits);
        // RFC 9562 §5.4: version 4 in the high half of octet 6, the variant in octet 8.
        bits[6] = bits[6] & 0x0f | 0x40;
        bits[8] = bits[8] & 0x3f | 0x80;
        let mut text = [b'-'; UUID_BYTES];
        let mut at = 0;
        for (octet, byte) in bits.iter().enumerate() {
            if matches!(octet, 4 | 6 | 8 | 10) {
                at += 1;
            }
            text[at..at + 2].copy_from_slice(&OCTETS[usize::from(*byte)]);
            at += 2;
        }
        text
    }

    /// The generator itself, for other choices that need no secrecy.
    pub fn generator(&mut self) -> &mut SmallRng {
        &mut self.0
    }
}

const fn octets() -> [[u8; 2]; 256] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut octets = [[0; 2]; 256];
    let mut octet = 0;
    while octet < octets.len() {
        octets[octet] = [DIGITS[octet >> 4], DIGITS[octet & 0x0f]];
        octet += 1;
    }
    octets
}

impl Default for RequestIds {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_random_version_4_uuids() {
        let mut ids = RequestIds::new();
        let first = ids.next_value();
        let parsed = uuid::Uuid::parse_str(first.to_str().unwrap()).unwrap();
        assert_eq!(parsed.get_version_num(), 4);
        assert_eq!(parsed.get_variant(), uuid::Variant::RFC4122);
        assert_eq!(parsed.to_string().as_bytes(), first.as_bytes());
        assert_ne!(ids.next_value(), first);
    }
}
