//! Configuration of `ssl-enforcement`.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::configuration::null_as_default;

/// Which connections are let through.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct SslEnforcementConfig {
    /// Whether the request must have come over TLS. Default true.
    pub requires_ssl: Option<bool>,
    /// Whether the client must have shown a certificate. Default false.
    pub requires_client_authentication: Option<bool>,
    /// Where the client's certificate is found. Default `SESSION`.
    #[serde(deserialize_with = "null_as_default")]
    #[schemars(with = "Option<CertificateLocation>")]
    pub certificate_location: CertificateLocation,
    /// Header with the certificate as URL-encoded PEM, for `HEADER`. Default `ssl-client-cert`.
    pub certificate_header_name: Option<String>,
    /// Names of the clients that are let through, as X.500 names whose values may have `?`, `*` and `**`; all if
    /// empty.
    #[serde(deserialize_with = "null_as_default")]
    #[schemars(with = "Option<Vec<String>>")]
    pub whitelist_client_certificates: Vec<String>,
    /// Whether a proxy in front that ended TLS is believed: `X-Forwarded-Proto: https`, or `proto=https` in
    /// `Forwarded`. Default false.
    pub use_x_forwarded_proto: Option<bool>,
}

/// Where the client's certificate is found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum CertificateLocation {
    /// The TLS connection.
    #[default]
    Session,
    /// A header that a proxy in front of the edge sets.
    Header,
}
