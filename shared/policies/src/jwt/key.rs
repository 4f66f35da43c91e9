//! Keys that check signatures, from the forms in which people keep them.

use std::fmt;

use aws_lc_rs::hmac;
use aws_lc_rs::signature::ParsedPublicKey;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use serde::Deserialize;
use thiserror::Error;

use super::algorithm::{Check, KeyType, Signature};
use crate::pem;

/// Least length of a secret in bytes; shorter ones can be guessed (RFC 7518 §3.2).
const SECRET_BYTES_MIN: usize = 32;

/// Why a text is no key; never shows the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum KeyError {
    /// Neither PEM nor a JWK nor an `ssh-rsa` line.
    #[error("neither PEM nor a JSON web key nor an ssh-rsa line")]
    UnknownForm,
    /// The form is known, its inside is broken.
    #[error("a malformed key")]
    Malformed,
    /// A key of another algorithm.
    #[error("a key that does not fit the algorithm")]
    Unfit,
    /// A secret that can be guessed.
    #[error("a secret of less than {SECRET_BYTES_MIN} bytes")]
    TooShort,
}

/// A key for one algorithm, ready to check signatures.
pub(crate) enum VerificationKey {
    Public(ParsedPublicKey),
    /// Readings of the configured text: as it stands, and as Base64.
    Secrets(Vec<hmac::Key>),
}

/// The members of a JSON web key that matter here (RFC 7517 §4, RFC 7518 §6).
#[derive(Deserialize)]
pub(super) struct Jwk {
    pub(super) kid: Option<String>,
    kty: String,
    #[serde(rename = "use")]
    usage: Option<String>,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
    k: Option<String>,
}

impl VerificationKey {
    /// Reads a key as people write it.
    pub(crate) fn parse(text: &str, signature: Signature) -> Result<Self, KeyError> {
        let text = text.trim();
        if text.starts_with('{') {
            let jwk: Jwk = serde_json::from_str(text).map_err(|_error| KeyError::Malformed)?;
            return Self::from_jwk(&jwk, signature);
        }
        match signature.check() {
            Check::Secret(algorithm) => secrets(text, algorithm),
            Check::Public(_) => Self::public(&public_der(text)?, signature),
        }
    }

    /// Reads a JSON web key; one that is meant for something else does not fit.
    pub(super) fn from_jwk(jwk: &Jwk, signature: Signature) -> Result<Self, KeyError> {
        let is_for_signatures = jwk.usage.as_deref().is_none_or(|usage| usage == "sig");
        let is_for_this = jwk.alg.as_deref().is_none_or(|alg| alg == signature.name());
        if !is_for_signatures || !is_for_this {
            return Err(KeyError::Unfit);
        }
        let bytes = match (signature.key_type(), jwk.kty.as_str(), jwk.crv.as_deref()) {
            (KeyType::Rsa, "RSA", _) => rsa_der(&member(&jwk.n)?, &member(&jwk.e)?),
            (KeyType::Curve(curve, length), "EC", Some(known)) if known == curve => {
                let mut point = vec![4];
                for coordinate in [&jwk.x, &jwk.y] {
                    let coordinate = member(coordinate)?;
                    let padding = length.checked_sub(coordinate.len());
                    let padding = padding.ok_or(KeyError::Malformed)?;
                    point.resize(point.len() + padding, 0);
                    point.extend_from_slice(&coordinate);
                }
                point
            }
            (KeyType::Ed25519, "OKP", Some("Ed25519")) => member(&jwk.x)?,
            (KeyType::Secret, "oct", _) => {
                let secret = member(&jwk.k)?;
                let Check::Secret(algorithm) = signature.check() else {
                    return Err(KeyError::Unfit);
                };
                if secret.len() < SECRET_BYTES_MIN {
                    return Err(KeyError::TooShort);
                }
                return Ok(Self::Secrets(vec![hmac::Key::new(algorithm, &secret)]));
            }
            _ => return Err(KeyError::Unfit),
        };
        Self::public(&bytes, signature)
    }

    /// Reads the DER of a public key.
    pub(crate) fn public(bytes: &[u8], signature: Signature) -> Result<Self, KeyError> {
        let Check::Public(algorithm) = signature.check() else {
            return Err(KeyError::Unfit);
        };
        ParsedPublicKey::new(algorithm, bytes)
            .map(Self::Public)
            .map_err(|_rejected| KeyError::Unfit)
    }

    /// Tells whether `signature` over `signed` was made with this key.
    pub(crate) fn verifies(&self, signed: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Public(key) => key.verify_sig(signed, signature).is_ok(),
            // Compares in constant time.
            Self::Secrets(keys) => keys
                .iter()
                .any(|key| hmac::verify(key, signed, signature).is_ok()),
        }
    }
}

impl fmt::Debug for VerificationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Public(_) => "Public(..)",
            Self::Secrets(_) => "Secrets(..)",
        })
    }
}

fn member(text: &Option<String>) -> Result<Vec<u8>, KeyError> {
    let text = text.as_deref().ok_or(KeyError::Malformed)?;
    let text = text.trim_end_matches('=');
    URL_SAFE_NO_PAD
        .decode(text)
        .map_err(|_error| KeyError::Malformed)
}

/// A configured secret may be the secret itself or its Base64; which one, the text does not tell.
fn secrets(text: &str, algorithm: hmac::Algorithm) -> Result<VerificationKey, KeyError> {
    let decoded = STANDARD
        .decode(text)
        .or_else(|_| member(&Some(text.to_owned())));
    let readings = [Some(text.as_bytes().to_vec()), decoded.ok()];
    let keys: Vec<hmac::Key> = readings
        .into_iter()
        .flatten()
        .filter(|secret| secret.len() >= SECRET_BYTES_MIN)
        .map(|secret| hmac::Key::new(algorithm, &secret))
        .collect();
    if keys.is_empty() {
        return Err(KeyError::TooShort);
    }
    Ok(VerificationKey::Secrets(keys))
}

/// The DER of a public key: `SubjectPublicKeyInfo`, or `RSAPublicKey` of PKCS #1.
fn public_der(text: &str) -> Result<Vec<u8>, KeyError> {
    if let Some(rest) = text.strip_prefix("ssh-rsa ") {
        let blob = rest.split_whitespace().next().ok_or(KeyError::Malformed)?;
        return ssh_rsa(blob).ok_or(KeyError::Malformed);
    }
    let sections = pem::sections(text);
    if sections.is_empty() {
        // Bare Base64 of the DER.
        let bare: String = text.split_whitespace().collect();
        let bare = bare.trim_end_matches('=');
        return STANDARD_NO_PAD
            .decode(bare)
            .map_err(|_error| KeyError::UnknownForm);
    }
    // A file may hold the private key before its certificate.
    let public = sections
        .into_iter()
        .find_map(|section| match section.label {
            "PUBLIC KEY" | "RSA PUBLIC KEY" => Some(Ok(section.content)),
            "CERTIFICATE" => Some(certificate_key(&section.content)),
            _ => None,
        });
    public.unwrap_or(Err(KeyError::UnknownForm))
}

/// The `SubjectPublicKeyInfo` of a certificate.
fn certificate_key(certificate: &[u8]) -> Result<Vec<u8>, KeyError> {
    x509_parser::parse_x509_certificate(certificate)
        .map(|(_, certificate)| certificate.public_key().raw.to_vec())
        .map_err(|_error| KeyError::Malformed)
}

/// The key of an `ssh-rsa` line: three length-prefixed fields (RFC 4253 §6.6).
fn ssh_rsa(blob: &str) -> Option<Vec<u8>> {
    let blob = STANDARD.decode(blob).ok()?;
    let mut rest = blob.as_slice();
    let mut field = || {
        let (length, tail) = rest.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        let (content, tail) = tail.split_at_checked(length)?;
        rest = tail;
        Some(content)
    };
    if field()? != b"ssh-rsa" {
        return None;
    }
    let (exponent, modulus) = (field()?, field()?);
    Some(rsa_der(modulus, exponent))
}

/// `RSAPublicKey` of RFC 8017 §A.1.1.
fn rsa_der(modulus: &[u8], exponent: &[u8]) -> Vec<u8> {
    let content = [der_integer(modulus), der_integer(exponent)].concat();
    der(0x30, &content)
}

/// A positive INTEGER: no leading zeros but the one that keeps the sign.
fn der_integer(bytes: &[u8]) -> Vec<u8> {
    let start = bytes.iter().position(|byte| *byte != 0);
    let bytes = start.map_or(&[0][..], |start| &bytes[start..]);
    let mut content = Vec::with_capacity(bytes.len() + 1);
    if bytes[0] & 0x80 != 0 {
        content.push(0);
    }
    content.extend_from_slice(bytes);
    der(0x02, &content)
}

fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let start = length.iter().position(|byte| *byte != 0);
    let length = start.map_or(&[0][..], |start| &length[start..]);
    let mut written = vec![tag];
    if length.len() > 1 || length[0] >= 0x80 {
        // At most eight: the length of a length.
        written.push(0x80 | u8::try_from(length.len()).unwrap_or(0));
    }
    written.extend_from_slice(length);
    written.extend_from_slice(content);
    written
}
