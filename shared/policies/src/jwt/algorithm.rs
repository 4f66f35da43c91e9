//! The signature algorithms of RFC 7518 §3 and RFC 8037.

use aws_lc_rs::hmac;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ECDSA_P521_SHA512_FIXED, ED25519,
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512,
    RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512,
    VerificationAlgorithm,
};
use schemars::JsonSchema;
use serde::Deserialize;

/// How a token is signed. A plan pins one: the token's header chooses nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum Signature {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    #[default]
    #[serde(rename = "RSA_RS256")]
    Rs256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    #[serde(rename = "RSA_RS384")]
    Rs384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    #[serde(rename = "RSA_RS512")]
    Rs512,
    /// HMAC with SHA-256.
    #[serde(rename = "HMAC_HS256")]
    Hs256,
    /// HMAC with SHA-384.
    #[serde(rename = "HMAC_HS384")]
    Hs384,
    /// HMAC with SHA-512.
    #[serde(rename = "HMAC_HS512")]
    Hs512,
    /// RSASSA-PSS with SHA-256.
    #[serde(rename = "RSA_PS256")]
    Ps256,
    /// RSASSA-PSS with SHA-384.
    #[serde(rename = "RSA_PS384")]
    Ps384,
    /// RSASSA-PSS with SHA-512.
    #[serde(rename = "RSA_PS512")]
    Ps512,
    /// ECDSA on P-256 with SHA-256.
    #[serde(rename = "ECDSA_ES256")]
    Es256,
    /// ECDSA on P-384 with SHA-384.
    #[serde(rename = "ECDSA_ES384")]
    Es384,
    /// ECDSA on P-521 with SHA-512.
    #[serde(rename = "ECDSA_ES512")]
    Es512,
    /// Ed25519.
    #[serde(rename = "EDDSA_ED25519")]
    EdDsa,
}

/// What checks a signature.
pub(super) enum Check {
    Public(&'static dyn VerificationAlgorithm),
    Secret(hmac::Algorithm),
}

/// What a JSON web key must be to fit (RFC 7518 §6, RFC 8037 §2).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum KeyType {
    Rsa,
    Secret,
    /// A curve with the length of its coordinates in bytes.
    Curve(&'static str, usize),
    Ed25519,
}

impl Signature {
    /// The `alg` of a token's header.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Hs256 => "HS256",
            Self::Hs384 => "HS384",
            Self::Hs512 => "HS512",
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::Es512 => "ES512",
            Self::EdDsa => "EdDSA",
        }
    }

    /// The algorithm of a shared secret; `None` for those of key pairs.
    pub(crate) fn secret_algorithm(self) -> Option<hmac::Algorithm> {
        match self.check() {
            Check::Secret(algorithm) => Some(algorithm),
            Check::Public(_) => None,
        }
    }

    pub(super) fn check(self) -> Check {
        match self {
            Self::Rs256 => Check::Public(&RSA_PKCS1_2048_8192_SHA256),
            Self::Rs384 => Check::Public(&RSA_PKCS1_2048_8192_SHA384),
            Self::Rs512 => Check::Public(&RSA_PKCS1_2048_8192_SHA512),
            Self::Hs256 => Check::Secret(hmac::HMAC_SHA256),
            Self::Hs384 => Check::Secret(hmac::HMAC_SHA384),
            Self::Hs512 => Check::Secret(hmac::HMAC_SHA512),
            Self::Ps256 => Check::Public(&RSA_PSS_2048_8192_SHA256),
            Self::Ps384 => Check::Public(&RSA_PSS_2048_8192_SHA384),
            Self::Ps512 => Check::Public(&RSA_PSS_2048_8192_SHA512),
            Self::Es256 => Check::Public(&ECDSA_P256_SHA256_FIXED),
            Self::Es384 => Check::Public(&ECDSA_P384_SHA384_FIXED),
            Self::Es512 => Check::Public(&ECDSA_P521_SHA512_FIXED),
            Self::EdDsa => Check::Public(&ED25519),
        }
    }

    pub(super) fn key_type(self) -> KeyType {
        match self {
            Self::Rs256 | Self::Rs384 | Self::Rs512 | Self::Ps256 | Self::Ps384 | Self::Ps512 => {
                KeyType::Rsa
            }
            Self::Hs256 | Self::Hs384 | Self::Hs512 => KeyType::Secret,
            Self::Es256 => KeyType::Curve("P-256", 32),
            Self::Es384 => KeyType::Curve("P-384", 48),
            Self::Es512 => KeyType::Curve("P-521", 66),
            Self::EdDsa => KeyType::Ed25519,
        }
    }
}
