//! `ssl-enforcement`: lets only requests through that came over TLS, and only clients with certain certificates.

mod config;
mod name;
#[cfg(test)]
mod tests;

use bytes::Bytes;
use http::header::FORWARDED;
use http::{HeaderName, StatusCode};
use tidegate_policy::{
    CompileContext, Compiled, ConfigError, Exchange, Failure, InlinePolicy, Needs, Outcome, Phase,
    PolicyKind, RequestFacts,
};

pub use config::{CertificateLocation, SslEnforcementConfig};

use crate::mtls::certificate_in_header;
use name::{Name, NamePattern};

/// Key of the failure of a request without TLS.
pub const SSL_REQUIRED: &str = "SSL_ENFORCEMENT_SSL_REQUIRED";

/// Key of the failure of a client without a certificate.
pub const AUTHENTICATION_REQUIRED: &str = "SSL_ENFORCEMENT_AUTHENTICATION_REQUIRED";

/// Key of the failure of a client that is not listed.
pub const CLIENT_FORBIDDEN: &str = "SSL_ENFORCEMENT_CLIENT_FORBIDDEN";

const CERTIFICATE_HEADER: &str = "ssl-client-cert";

const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// The kind of policy.
#[derive(Debug)]
pub struct SslEnforcement;

impl PolicyKind for SslEnforcement {
    const NAME: &'static str = "ssl-enforcement";
    const PHASES: &'static [Phase] = &[Phase::Request];
    type Config = SslEnforcementConfig;

    fn compile(config: Self::Config, _ctx: &CompileContext<'_>) -> Result<Compiled, ConfigError> {
        let certificate_header = match config.certificate_location {
            CertificateLocation::Session => None,
            CertificateLocation::Header => {
                let name = config.certificate_header_name.as_deref().map(str::trim);
                let name = name.filter(|name| !name.is_empty());
                let name = name.unwrap_or(CERTIFICATE_HEADER);
                Some(HeaderName::from_bytes(name.as_bytes()).map_err(|_error| {
                    let found = format!("{name:?}");
                    ConfigError::new("certificateHeaderName", found, "a header name")
                })?)
            }
        };
        let names = config.whitelist_client_certificates.iter().enumerate();
        let names = names.map(|(index, text)| {
            NamePattern::parse(text).map_err(|expected| {
                let path = format!("whitelistClientCertificates[{index}]");
                ConfigError::new(path, format!("{text:?}"), expected)
            })
        });
        let policy = Enforcement {
            wants_tls: config.requires_ssl != Some(false),
            believes_proxy: config.use_x_forwarded_proto == Some(true),
            wants_certificate: config.requires_client_authentication == Some(true),
            certificate_header,
            names: names.collect::<Result<_, _>>()?,
        };
        Ok(Compiled::inline(policy, Needs::NONE))
    }
}

#[derive(Debug)]
struct Enforcement {
    wants_tls: bool,
    believes_proxy: bool,
    wants_certificate: bool,
    /// Where the certificate is, if not in the connection.
    certificate_header: Option<HeaderName>,
    /// Whom to let through; everybody if empty.
    names: Box<[NamePattern]>,
}

impl Enforcement {
    fn is_secure(&self, request: &RequestFacts) -> bool {
        request.tls.is_some() || self.believes_proxy && is_forwarded_secure(request)
    }

    fn certificate(&self, request: &RequestFacts) -> Option<Bytes> {
        match &self.certificate_header {
            Some(name) => certificate_in_header(request, name),
            None => request.tls.as_ref()?.client_certificates.first().cloned(),
        }
    }
}

impl InlinePolicy for Enforcement {
    fn on_request(&self, exchange: &mut Exchange) -> Outcome {
        let request = &exchange.request;
        if !self.is_secure(request) {
            return if self.wants_tls {
                refuse(
                    StatusCode::FORBIDDEN,
                    SSL_REQUIRED,
                    "Access to the resource requires SSL certificate.",
                )
            } else {
                Outcome::Continue
            };
        }
        if !self.wants_certificate {
            return Outcome::Continue;
        }
        let certificate = self.certificate(request);
        let parsed = certificate
            .as_deref()
            .and_then(|der| x509_parser::parse_x509_certificate(der).ok());
        let Some((_, certificate)) = parsed else {
            return refuse(
                StatusCode::UNAUTHORIZED,
                AUTHENTICATION_REQUIRED,
                "Unauthorized",
            );
        };
        let subject = certificate.subject();
        let is_listed = self.names.is_empty()
            || Name::new(subject)
                .is_some_and(|name| self.names.iter().any(|pattern| pattern.matches(&name)));
        if is_listed {
            return Outcome::Continue;
        }
        let mut failure = Failure::new(StatusCode::FORBIDDEN)
            .with_key(CLIENT_FORBIDDEN)
            .with_message("You're not allowed to access this resource");
        failure
            .parameters
            .push(("name".into(), subject.to_string().into()));
        Outcome::fail(failure)
    }
}

/// What the proxy in front says of the client's connection.
fn is_forwarded_secure(request: &RequestFacts) -> bool {
    let text = |name: &HeaderName| request.headers.find_text(name);
    let is_https = |proto: &str| proto.trim().trim_matches('"').eq_ignore_ascii_case("https");
    text(&FORWARDED_PROTO).is_some_and(is_https)
        || text(&FORWARDED).is_some_and(|value| {
            // The first element is the client's connection (RFC 7239 §4).
            let nearest = value.split(',').next().unwrap_or_default();
            nearest.split(';').any(|pair| {
                pair.split_once('=').is_some_and(|(name, value)| {
                    name.trim().eq_ignore_ascii_case("proto") && is_https(value)
                })
            })
        })
}

fn refuse(status: StatusCode, key: &'static str, message: &'static str) -> Outcome {
    Outcome::fail(Failure::new(status).with_key(key).with_message(message))
}
