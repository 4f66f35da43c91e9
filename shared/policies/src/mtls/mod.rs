//! `mtls`: a plan whose clients show the certificate of an application.

mod certificate;
mod config;
#[cfg(test)]
mod tests;

pub use certificate::{certificate_in_header, fingerprint};
pub use config::MtlsConfig;

/// Name of the kind.
pub const NAME: &str = "mtls";

/// Setting of the node: header in which a proxy in front passes the client's certificate.
pub const HEADER_SETTING: &str = "http.ssl.clientAuthHeader.name";

/// Key of the failure when the plan was chosen and the request has no certificate.
pub const MISSING_CERTIFICATE: &str = "CLIENT_CERTIFICATE_MISSING";
