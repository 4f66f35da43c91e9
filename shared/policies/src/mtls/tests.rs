//! Certificates in headers.

use http::HeaderName;

use super::{certificate_in_header, fingerprint};
use crate::testing::exchange;

#[test]
fn a_header_holds_pem_with_or_without_url_encoding() {
    let name = HeaderName::from_static("ssl-client-cert");
    for (value, is_read) in [
        (
            "-----BEGIN%20CERTIFICATE-----%0AaGVsbG8%3D%0A-----END%20CERTIFICATE-----%0A",
            true,
        ),
        (
            "-----BEGIN CERTIFICATE----- aGVsbG8= -----END CERTIFICATE-----",
            true,
        ),
        (
            "-----BEGIN PUBLIC KEY-----aGVsbG8=-----END PUBLIC KEY-----",
            false,
        ),
        ("%ff%fe", false),
        ("", false),
    ] {
        let mut request = exchange().request;
        request.headers.insert(&name, value.parse().unwrap());
        let found = certificate_in_header(&request, &name);
        assert_eq!(
            found.as_deref(),
            is_read.then_some(&b"hello"[..]),
            "{value}"
        );
    }
    assert_eq!(certificate_in_header(&exchange().request, &name), None);
}

#[test]
fn the_fingerprint_is_sha256() {
    // FIPS 180-2, appendix B.1.
    assert_eq!(fingerprint(b"abc")[..4], [0xba, 0x78, 0x16, 0xbf]);
}
