//! Ed25519 signatures with domain separation: a signature for one context is worth nothing in another.

use std::fmt;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};

/// Context of manifest signatures.
pub const MANIFEST_CONTEXT: &[u8] = b"tidegate/manifest/v1";
/// Context of keyset signatures.
pub const KEYSET_CONTEXT: &[u8] = b"tidegate/keyset/v1";

/// Bytes of an Ed25519 public key.
pub(crate) const PUBLIC_KEY_BYTES: usize = 32;

/// Why something could not be signed.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// The private key is not a usable PKCS#8 Ed25519 key.
    #[error("not a PKCS#8 Ed25519 private key")]
    BadKey,
    /// The system gave no randomness for a new key.
    #[error("cannot make a key")]
    NoRandomness,
    /// The manifest names another key than the signer has.
    #[error("manifest is for key {wanted}, the signer has {held}")]
    OtherKey {
        /// Key the manifest names.
        wanted: String,
        /// Key of the signer.
        held: String,
    },
    /// A signer outside of this process failed.
    #[error("signer failed: {0}")]
    Signer(String),
}

/// Holds a private key, here or elsewhere.
pub trait Signer: Send + Sync {
    /// Names the key, as keysets do.
    fn key_id(&self) -> &str;

    /// Gives the public key, 32 bytes.
    fn public_key(&self) -> Vec<u8>;

    /// Signs `context` followed by `message`. No context in use is the beginning of another.
    ///
    /// # Errors
    /// When the key cannot be used.
    fn sign(&self, context: &[u8], message: &[u8]) -> Result<Vec<u8>, SignError>;
}

/// Names a public key: the first 32 hexadecimal digits of its BLAKE3 hash.
pub fn key_id_of(public_key: &[u8]) -> String {
    blake3::hash(public_key).to_hex().chars().take(32).collect()
}

/// An Ed25519 key from a PKCS#8 file.
pub struct FileSigner {
    key_id: String,
    pair: Ed25519KeyPair,
}

impl FileSigner {
    /// Makes a new private key, as PKCS#8. Whoever has it can sign: keep it in a file of mode 0600.
    ///
    /// # Errors
    /// When the system gives no randomness.
    pub fn generate() -> Result<zeroize::Zeroizing<Vec<u8>>, SignError> {
        let pair = Ed25519KeyPair::generate().map_err(|_unspecified| SignError::NoRandomness)?;
        let document = pair
            .to_pkcs8()
            .map_err(|_unspecified| SignError::NoRandomness)?;
        Ok(document.as_ref().to_vec().into())
    }

    /// Takes a private key as [`FileSigner::generate`] makes it.
    ///
    /// # Errors
    /// When the bytes are no such key.
    pub fn from_pkcs8(pkcs8: &[u8]) -> Result<FileSigner, SignError> {
        let pair = Ed25519KeyPair::from_pkcs8(pkcs8).map_err(|_rejected| SignError::BadKey)?;
        Ok(FileSigner {
            key_id: key_id_of(pair.public_key().as_ref()),
            pair,
        })
    }
}

impl Signer for FileSigner {
    fn key_id(&self) -> &str {
        &self.key_id
    }

    fn public_key(&self) -> Vec<u8> {
        self.pair.public_key().as_ref().to_vec()
    }

    fn sign(&self, context: &[u8], message: &[u8]) -> Result<Vec<u8>, SignError> {
        Ok(self
            .pair
            .sign(&[context, message].concat())
            .as_ref()
            .to_vec())
    }
}

impl fmt::Debug for FileSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileSigner")
            .field("key_id", &self.key_id)
            .finish_non_exhaustive()
    }
}

/// Verifies a signature. The library refuses scalars out of range; [`is_acceptable_key`] refuses weak keys.
pub(crate) fn is_valid(
    public_key: &[u8],
    context: &[u8],
    message: &[u8],
    signature: &[u8],
) -> bool {
    is_acceptable_key(public_key)
        && UnparsedPublicKey::new(&ED25519, public_key)
            .verify(&[context, message].concat(), signature)
            .is_ok()
}

/// Refuses keys of a wrong length, and points of small order: for those, one signature fits many messages.
pub(crate) fn is_acceptable_key(public_key: &[u8]) -> bool {
    let Ok(mut y) = <[u8; PUBLIC_KEY_BYTES]>::try_from(public_key) else {
        return false;
    };
    // The top bit is the sign of x; with both signs the point has small order.
    if let Some(last) = y.last_mut() {
        *last &= 0x7f;
    }
    !SMALL_ORDER.contains(&y)
}

/// The y coordinates of the eight points of small order, little-endian, with their non-canonical spellings.
const SMALL_ORDER: [[u8; PUBLIC_KEY_BYTES]; 7] = [
    [0; 32],
    first(0x01, 0x00),
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98,
        0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53,
        0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67,
        0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac,
        0x03, 0x7a,
    ],
    first(0xec, 0x7f),
    first(0xed, 0x7f),
    first(0xee, 0x7f),
];

/// Spells 1 (`last` 0) or p - 1, p, p + 1 (`last` 0x7f): all bytes between are zeros or ones.
const fn first(first: u8, last: u8) -> [u8; PUBLIC_KEY_BYTES] {
    let fill = if last == 0 { 0x00 } else { 0xff };
    [
        first, fill, fill, fill, fill, fill, fill, fill, fill, fill, fill, fill, fill, fill, fill,
        fill, fill, fill, fill, fill, fill, fill, fill, fill, fill, fill, fill, fill, fill, fill,
        fill, last,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_holds_for_its_key_context_and_message_only() {
        let signer = FileSigner::from_pkcs8(&FileSigner::generate().unwrap()).unwrap();
        let other = FileSigner::from_pkcs8(&FileSigner::generate().unwrap()).unwrap();
        let key = signer.public_key();
        let signature = signer.sign(MANIFEST_CONTEXT, b"message").unwrap();
        assert!(is_valid(&key, MANIFEST_CONTEXT, b"message", &signature));
        assert!(!is_valid(&key, KEYSET_CONTEXT, b"message", &signature));
        assert!(!is_valid(&key, MANIFEST_CONTEXT, b"massage", &signature));
        assert!(!is_valid(
            &other.public_key(),
            MANIFEST_CONTEXT,
            b"message",
            &signature
        ));
        assert!(!is_valid(
            &key,
            MANIFEST_CONTEXT,
            b"message",
            &signature[..63]
        ));
    }

    #[test]
    fn a_scalar_out_of_range_is_refused() {
        let signer = FileSigner::from_pkcs8(&FileSigner::generate().unwrap()).unwrap();
        let mut signature = signer.sign(MANIFEST_CONTEXT, b"message").unwrap();
        // Adds the group order to the scalar: the same signature to a lenient verifier.
        let order = [
            0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9,
            0xde, 0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10_u8,
        ];
        let mut carry = 0_u16;
        for (byte, add) in signature[32..].iter_mut().zip(order) {
            carry += u16::from(*byte) + u16::from(add);
            *byte = (carry & 0xff) as u8;
            carry >>= 8;
        }
        assert!(!is_valid(
            &signer.public_key(),
            MANIFEST_CONTEXT,
            b"message",
            &signature
        ));
    }

    #[test]
    fn points_of_small_order_are_no_keys() {
        for mut key in SMALL_ORDER {
            assert!(!is_acceptable_key(&key));
            key[31] |= 0x80;
            assert!(!is_acceptable_key(&key));
        }
        assert!(!is_acceptable_key(&[7; 31]));
        assert!(is_acceptable_key(
            &FileSigner::from_pkcs8(&FileSigner::generate().unwrap())
                .unwrap()
                .public_key()
        ));
    }

    #[test]
    fn a_signer_shows_no_private_key() {
        let signer = FileSigner::from_pkcs8(&FileSigner::generate().unwrap()).unwrap();
        assert_eq!(
            format!("{signer:?}"),
            format!("FileSigner {{ key_id: {:?}, .. }}", signer.key_id)
        );
        assert!(FileSigner::from_pkcs8(b"nonsense").is_err());
    }
}
