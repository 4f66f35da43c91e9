//! A signed message in its compact form (RFC 7515 §7.1).

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::jwt::Signature;

/// Longest header in bytes, encoded; it holds certificates.
const HEADER_BYTES_MAX: usize = 64 * 1024;

/// What `typ` may say (RFC 7515 §4.1.9).
const TYPES: [&str; 3] = ["JOSE", "JSON", "JOSE+JSON"];

/// A message; nothing of it is believed before its signature has been checked.
#[derive(Debug)]
pub(super) struct Message<'t> {
    pub(super) signature: Signature,
    pub(super) key_id: Option<String>,
    /// The signer's certificate in DER.
    pub(super) certificate: Vec<u8>,
    /// What was signed.
    pub(super) signed: &'t str,
    pub(super) signature_bytes: Vec<u8>,
    pub(super) payload: Vec<u8>,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    typ: Option<String>,
    cty: Option<String>,
    #[serde(default)]
    x5c: Vec<String>,
    /// Extensions that must be understood; none is.
    crit: Option<IgnoredAny>,
}

impl<'t> Message<'t> {
    /// Takes a message apart.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub(super) fn parse(text: &'t str) -> Result<Self, String> {
        let text = text.trim_ascii();
        let (signed, signature) = text.rsplit_once('.').ok_or("not a signed message")?;
        let (header, payload) = signed.split_once('.').ok_or("not a signed message")?;
        if header.len() > HEADER_BYTES_MAX {
            return Err("a header that is too long".to_owned());
        }
        let header: Header =
            serde_json::from_slice(&decode(header)?).map_err(|error| format!("header: {error}"))?;
        if header.crit.is_some() {
            return Err("an extension that is not understood".to_owned());
        }
        let typ = header.typ.filter(|typ| !typ.is_empty());
        if typ.is_some_and(|typ| !TYPES.iter().any(|known| typ.eq_ignore_ascii_case(known))) {
            return Err("a typ other than JOSE, JSON and JOSE+JSON".to_owned());
        }
        let content = header.cty.unwrap_or_default().to_ascii_lowercase();
        let content = content.strip_prefix("application/").unwrap_or(&content);
        if !matches!(content, "" | "json") {
            return Err("a cty other than json".to_owned());
        }
        let certificate = header.x5c.first().ok_or("no x5c")?;
        Ok(Self {
            signature: algorithm(&header.alg)
                .ok_or_else(|| format!("the algorithm {:?}", header.alg))?,
            key_id: header.kid.filter(|kid| !kid.is_empty()),
            certificate: STANDARD
                .decode(certificate)
                .map_err(|_error| "an x5c that is no Base64")?,
            signed,
            signature_bytes: decode(signature)?,
            payload: decode(payload)?,
        })
    }
}

/// Keys are RSA keys: a message can choose among their algorithms, never a secret or none.
fn algorithm(name: &str) -> Option<Signature> {
    let known = [
        Signature::Rs256,
        Signature::Rs384,
        Signature::Rs512,
        Signature::Ps256,
        Signature::Ps384,
        Signature::Ps512,
    ];
    known.into_iter().find(|known| known.name() == name)
}

fn decode(part: &str) -> Result<Vec<u8>, String> {
    URL_SAFE_NO_PAD
        .decode(part)
        .map_err(|_error| "a part that is no Base64".to_owned())
}
