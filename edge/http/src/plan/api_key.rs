//! API keys are known to an edge only by their hash.

use aws_lc_rs::hmac;

/// HMAC-SHA256 of a key.
pub type KeyHash = [u8; 32];

/// Longest key looked up; the control plane issues and accepts shorter ones.
pub const API_KEY_BYTES_MAX: usize = 256;

/// Hashes keys with the environment's pepper.
///
/// Keys are found by their hash in a map: comparing takes the same time whatever part of a guessed
/// key is right, and whoever cannot compute the HMAC cannot steer which hashes are compared. There
/// is no cache from keys to hashes: the keyed state is prepared once, so a hash is two SHA-256
/// blocks (about a fifth of a microsecond), and a cache would keep plaintext keys in memory.
pub struct ApiKeyHasher(hmac::Key);

impl ApiKeyHasher {
    /// Prepares the keyed state.
    #[must_use]
    pub fn new(pepper: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, pepper))
    }

    /// The hash of `key`; `None` for one that is empty or too long to be a key.
    #[must_use]
    pub fn hash(&self, key: &[u8]) -> Option<KeyHash> {
        if key.is_empty() || key.len() > API_KEY_BYTES_MAX {
            return None;
        }
        hmac::sign(&self.0, key).as_ref().try_into().ok()
    }
}

impl std::fmt::Debug for ApiKeyHasher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ApiKeyHasher(redacted)")
    }
}

/// Reads a hash written as 64 hexadecimal digits.
#[must_use]
pub fn parse_key_hash(text: &str) -> Option<KeyHash> {
    let digits: &[u8; 64] = text.as_bytes().try_into().ok()?;
    let mut hash = [0; 32];
    for (byte, pair) in hash.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = nibble(pair[0])? << 4 | nibble(pair[1])?;
    }
    Some(hash)
}

fn nibble(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_hmac_sha256() {
        // RFC 4231 §4.3, test case 2.
        let hash = ApiKeyHasher::new(b"Jefe").hash(b"what do ya want for nothing?");
        let expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(hash, parse_key_hash(expected));
        assert!(hash.is_some());
    }

    #[test]
    fn what_cannot_be_a_key_has_no_hash() {
        let hasher = ApiKeyHasher::new(b"pepper");
        assert_eq!(hasher.hash(b""), None);
        assert_eq!(hasher.hash(&[b'k'; API_KEY_BYTES_MAX + 1]), None);
        assert!(hasher.hash(&[b'k'; API_KEY_BYTES_MAX]).is_some());
    }

    #[test]
    fn a_malformed_hash_is_refused() {
        for text in ["", "00", &"g".repeat(64), &"0".repeat(63), &"0".repeat(65)] {
            assert_eq!(parse_key_hash(text), None, "{text}");
        }
        assert_eq!(parse_key_hash(&"Ff".repeat(32)), Some([255; 32]));
    }
}
