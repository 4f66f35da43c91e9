//! Client certificates and how they are told apart.

use aws_lc_rs::digest;
use bytes::Bytes;
use http::HeaderName;
use percent_encoding::percent_decode_str;
use tidegate_policy::RequestFacts;

use crate::pem;

/// Reads a certificate that a proxy passed on in a header: PEM, URL-encoded as NGINX writes it.
///
/// Returns its DER, or `None` if the header is missing or holds no certificate.
#[must_use]
pub fn certificate_in_header(request: &RequestFacts, name: &HeaderName) -> Option<Bytes> {
    let text = request.headers.get(name)?.to_str().ok()?;
    let text = percent_decode_str(text).decode_utf8().ok()?;
    let section = pem::first_section(&text)?;
    (section.label == "CERTIFICATE").then(|| Bytes::from(section.content))
}

/// Tells certificates apart: the SHA-256 of the DER.
#[must_use]
pub fn fingerprint(certificate: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest::digest(&digest::SHA256, certificate).as_ref());
    hash
}
