//! What is signed and with what: draft-cavage-http-signatures-12 §2.3 and §2.5.

use aws_lc_rs::hmac;
use http::HeaderName;
use http::header::HOST;
use schemars::JsonSchema;
use serde::Deserialize;
use tidegate_policy::RequestFacts;

/// Most fields of one signature.
pub(crate) const FIELDS_MAX: usize = 64;

/// Where a signature is found or written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum SignatureScheme {
    /// `Authorization: Signature …`.
    #[default]
    Authorization,
    /// The header `Signature`.
    Signature,
}

/// How a signature is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum Algorithm {
    /// HMAC with SHA-1; for old clients only.
    #[serde(rename = "HMAC_SHA1")]
    HmacSha1,
    /// HMAC with SHA-256.
    #[default]
    #[serde(rename = "HMAC_SHA256")]
    HmacSha256,
    /// HMAC with SHA-384.
    #[serde(rename = "HMAC_SHA384")]
    HmacSha384,
    /// HMAC with SHA-512.
    #[serde(rename = "HMAC_SHA512")]
    HmacSha512,
}

impl Algorithm {
    const ALL: [Self; 4] = [
        Self::HmacSha1,
        Self::HmacSha256,
        Self::HmacSha384,
        Self::HmacSha512,
    ];

    /// The `algorithm` parameter of a signature.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::HmacSha1 => "hmac-sha1",
            Self::HmacSha256 => "hmac-sha256",
            Self::HmacSha384 => "hmac-sha384",
            Self::HmacSha512 => "hmac-sha512",
        }
    }

    pub(crate) fn parse(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|known| name.eq_ignore_ascii_case(known.name()))
    }

    /// A key for this algorithm.
    pub(crate) fn key(self, secret: &[u8]) -> hmac::Key {
        let algorithm = match self {
            Self::HmacSha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            Self::HmacSha256 => hmac::HMAC_SHA256,
            Self::HmacSha384 => hmac::HMAC_SHA384,
            Self::HmacSha512 => hmac::HMAC_SHA512,
        };
        hmac::Key::new(algorithm, secret)
    }
}

/// A part of what is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    /// Method and path.
    RequestTarget,
    /// When the signature was made.
    Created,
    /// When the signature ends.
    Expires,
    /// A header.
    Header(HeaderName),
}

impl Field {
    /// Reads a name of a signature's `headers`.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "(request-target)" => Some(Self::RequestTarget),
            "(created)" => Some(Self::Created),
            "(expires)" => Some(Self::Expires),
            lower => HeaderName::from_bytes(lower.as_bytes())
                .ok()
                .map(Self::Header),
        }
    }

    pub(crate) fn name(&self) -> &str {
        match self {
            Self::RequestTarget => "(request-target)",
            Self::Created => "(created)",
            Self::Expires => "(expires)",
            Self::Header(name) => name.as_str(),
        }
    }
}

/// Parts of what is signed that the headers do not tell.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Signed<'s> {
    /// Path, with or without the query.
    pub(crate) target: &'s str,
    /// Text of `(created)`.
    pub(crate) created: Option<&'s str>,
    /// Text of `(expires)`.
    pub(crate) expires: Option<&'s str>,
}

/// Writes what is signed.
///
/// # Errors
/// Fails with the name of a field that the request does not have.
pub(crate) fn signing_string<'f>(
    fields: &'f [Field],
    request: &RequestFacts,
    signed: Signed<'_>,
) -> Result<Vec<u8>, &'f str> {
    let mut text: Vec<u8> = Vec::with_capacity(256);
    for (index, field) in fields.iter().enumerate() {
        if index > 0 {
            text.push(b'\n');
        }
        text.extend_from_slice(field.name().as_bytes());
        text.extend_from_slice(b": ");
        match field {
            Field::RequestTarget => {
                let method = request.method.as_str().to_ascii_lowercase();
                text.extend_from_slice(method.as_bytes());
                text.push(b' ');
                text.extend_from_slice(signed.target.as_bytes());
            }
            Field::Created => {
                text.extend_from_slice(signed.created.ok_or(field.name())?.as_bytes())
            }
            Field::Expires => {
                text.extend_from_slice(signed.expires.ok_or(field.name())?.as_bytes())
            }
            Field::Header(name) => header(name, request, &mut text).ok_or(field.name())?,
        }
    }
    Ok(text)
}

/// All values of a header in order, separated by a comma and a blank.
fn header(name: &HeaderName, request: &RequestFacts, text: &mut Vec<u8>) -> Option<()> {
    let mut values = request.headers.get_all(name).iter().peekable();
    if values.peek().is_none() {
        // The platform keeps the client's host apart from the other headers.
        let host = (name == HOST).then(|| request.host());
        text.extend_from_slice(host.filter(|host| !host.is_empty())?.as_bytes());
        return Some(());
    }
    for (index, value) in values.enumerate() {
        if index > 0 {
            text.extend_from_slice(b", ");
        }
        text.extend_from_slice(value.as_bytes().trim_ascii());
    }
    Some(())
}
