//! Keys that make signatures (RFC 7518 §3, RFC 8037 §3.1).

use std::fmt;

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING,
    ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair,
    RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384,
    RSA_PSS_SHA512, RsaEncoding, RsaKeyPair,
};
use thiserror::Error;

use crate::jwt::Signature;

/// Why a key signs nothing; never shows the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(super) enum SignerError {
    /// A key of another algorithm, or a broken one.
    #[error("a key that does not fit the algorithm")]
    Unfit,
    /// A secret that can be guessed.
    #[error("a secret of less than {0} bytes")]
    TooShort(usize),
}

/// A key for one algorithm.
pub(super) enum Signer {
    Secret(Box<hmac::Key>),
    Rsa(Box<RsaKeyPair>, &'static dyn RsaEncoding),
    Curve(Box<EcdsaKeyPair>),
    Ed25519(Box<Ed25519KeyPair>),
}

impl Signer {
    /// A key from a secret, which must be as long as the hash (RFC 7518 §3.2).
    pub(super) fn from_secret(
        secret: &[u8],
        algorithm: hmac::Algorithm,
    ) -> Result<Self, SignerError> {
        let bytes_min = algorithm.digest_algorithm().output_len();
        if secret.len() < bytes_min {
            return Err(SignerError::TooShort(bytes_min));
        }
        Ok(Self::Secret(Box::new(hmac::Key::new(algorithm, secret))))
    }

    /// A key from DER: PKCS#8, for RSA also PKCS#1, for curves also SEC1.
    pub(super) fn from_der(key: &[u8], signature: Signature) -> Result<Self, SignerError> {
        let rsa = |encoding| {
            RsaKeyPair::from_pkcs8(key)
                .or_else(|_| RsaKeyPair::from_der(key))
                .map(|pair| Self::Rsa(Box::new(pair), encoding))
                .map_err(|_rejected| SignerError::Unfit)
        };
        let curve = |algorithm: &'static EcdsaSigningAlgorithm| {
            EcdsaKeyPair::from_pkcs8(algorithm, key)
                .or_else(|_| EcdsaKeyPair::from_private_key_der(algorithm, key))
                .map(|pair| Self::Curve(Box::new(pair)))
                .map_err(|_rejected| SignerError::Unfit)
        };
        match signature {
            Signature::Rs256 => rsa(&RSA_PKCS1_SHA256),
            Signature::Rs384 => rsa(&RSA_PKCS1_SHA384),
            Signature::Rs512 => rsa(&RSA_PKCS1_SHA512),
            Signature::Ps256 => rsa(&RSA_PSS_SHA256),
            Signature::Ps384 => rsa(&RSA_PSS_SHA384),
            Signature::Ps512 => rsa(&RSA_PSS_SHA512),
            Signature::Es256 => curve(&ECDSA_P256_SHA256_FIXED_SIGNING),
            Signature::Es384 => curve(&ECDSA_P384_SHA384_FIXED_SIGNING),
            Signature::Es512 => curve(&ECDSA_P521_SHA512_FIXED_SIGNING),
            Signature::EdDsa => Ed25519KeyPair::from_pkcs8_maybe_unchecked(key)
                .map(|pair| Self::Ed25519(Box::new(pair)))
                .map_err(|_rejected| SignerError::Unfit),
            Signature::Hs256 | Signature::Hs384 | Signature::Hs512 => Err(SignerError::Unfit),
        }
    }

    /// Signs a text.
    pub(super) fn sign(&self, text: &[u8]) -> Result<Vec<u8>, SignerError> {
        let random = SystemRandom::new();
        match self {
            Self::Secret(key) => Ok(hmac::sign(key, text).as_ref().to_vec()),
            Self::Rsa(pair, encoding) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(*encoding, &random, text, &mut signature)
                    .map_err(|_failed| SignerError::Unfit)?;
                Ok(signature)
            }
            Self::Curve(pair) => pair
                .sign(&random, text)
                .map(|signature| signature.as_ref().to_vec())
                .map_err(|_failed| SignerError::Unfit),
            Self::Ed25519(pair) => Ok(pair.sign(text).as_ref().to_vec()),
        }
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signer(redacted)")
    }
}
