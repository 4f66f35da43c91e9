//! Authenticated encryption of everything on disk: XChaCha20-Poly1305 with random nonces.

use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};
use chacha20poly1305::{
    KeyInit as _, XChaCha20Poly1305, XNonce,
    aead::{Aead as _, Payload},
};

use super::key_store::CacheKey;

/// Bytes of the nonce in front of every sealed text; random, 192 bits never repeat in practice.
pub(crate) const NONCE_BYTES: usize = 24;
/// Bytes a sealed text is longer than its plain text.
pub(crate) const OVERHEAD_BYTES: usize = NONCE_BYTES + 16;

/// Why sealing or opening failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SealError {
    /// The bytes were changed, moved, or sealed under another key.
    #[error("sealed bytes do not authenticate")]
    Tampered,
    /// The system gives no randomness, or the text is too long.
    #[error("bytes cannot be sealed")]
    CannotSeal,
}

/// Seals and opens texts; `context` says what a text is and where it belongs, and must match.
pub(crate) struct Sealer {
    cipher: XChaCha20Poly1305,
    random: SystemRandom,
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Sealer")
    }
}

impl Sealer {
    pub(crate) fn new(key: &CacheKey) -> Self {
        Self {
            cipher: XChaCha20Poly1305::new(key.as_slice().into()),
            random: SystemRandom::new(),
        }
    }

    /// Gives nonce and sealed text.
    pub(crate) fn seal(&self, context: &[u8], plain: &[u8]) -> Result<Vec<u8>, SealError> {
        let mut nonce = [0; NONCE_BYTES];
        self.random
            .fill(&mut nonce)
            .map_err(|_unspecified| SealError::CannotSeal)?;
        let payload = Payload {
            msg: plain,
            aad: context,
        };
        let sealed = self
            .cipher
            .encrypt(XNonce::from_slice(&nonce), payload)
            .map_err(|_too_long| SealError::CannotSeal)?;
        Ok([nonce.as_slice(), &sealed].concat())
    }

    /// Opens what [`Self::seal`] gave for the same context.
    pub(crate) fn open(&self, context: &[u8], sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        let (nonce, sealed) = sealed
            .split_at_checked(NONCE_BYTES)
            .ok_or(SealError::Tampered)?;
        let payload = Payload {
            msg: sealed,
            aad: context,
        };
        self.cipher
            .decrypt(XNonce::from_slice(nonce), payload)
            .map_err(|_opaque| SealError::Tampered)
    }
}
