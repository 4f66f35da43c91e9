//! What must hold of a token besides its signature.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::HeaderName;
use tidegate_expression::Value;
use tidegate_policy::{ConfigError, RequestFacts};

use super::config::{ConfirmationConfig, TypConfig};
use super::token::Token;
use crate::mtls::{certificate_in_header, fingerprint};

/// How far clocks may be apart, in seconds.
const SKEW_SECONDS: f64 = 60.0;

const DEFAULT_CERTIFICATE_HEADER: &str = "ssl-client-cert";

/// Checks `exp` and `nbf` (RFC 7519 §4.1.4, §4.1.5); a token without them does not expire.
pub(super) fn is_in_time(token: &Token, now_ms: u64) -> bool {
    #[expect(clippy::cast_precision_loss, reason = "dates are far below 2^53")]
    let now = now_ms as f64 / 1000.0;
    let date = |name| match token.claims.get(name) {
        None | Some(Value::Null) => Some(None),
        Some(Value::Integer(_) | Value::Float(_)) => Some(token.claims.get(name)?.to_f64()),
        Some(_) => None,
    };
    let (Some(expires), Some(starts)) = (date("exp"), date("nbf")) else {
        return false;
    };
    expires.is_none_or(|expires| now < expires + SKEW_SECONDS)
        && starts.is_none_or(|starts| starts - SKEW_SECONDS <= now)
}

/// Which types of tokens are accepted.
#[derive(Debug)]
pub(super) struct Types {
    accepted: Box<[String]>,
    ignores_missing: bool,
    ignores_case: bool,
}

impl Types {
    pub(super) fn compile(config: Option<&TypConfig>) -> Option<Self> {
        let config = config.filter(|config| config.enabled == Some(true))?;
        let accepted = config.expected_values.clone().unwrap_or_default();
        Some(Self {
            accepted: if accepted.is_empty() {
                Box::new(["JWT".to_owned()])
            } else {
                accepted.into()
            },
            ignores_missing: config.ignore_missing == Some(true),
            ignores_case: config.ignore_case == Some(true),
        })
    }

    pub(super) fn accept(&self, token: &Token) -> bool {
        let Some(typ) = token.header.typ.as_deref() else {
            return self.ignores_missing;
        };
        self.accepted.iter().any(|accepted| {
            accepted == typ || (self.ignores_case && accepted.eq_ignore_ascii_case(typ))
        })
    }
}

/// A token that belongs to a client certificate (RFC 8705 §3).
#[derive(Debug)]
pub(super) struct Binding {
    ignores_missing: bool,
    /// Where a proxy in front passes the certificate; else it is the connection's.
    header: Option<HeaderName>,
}

impl Binding {
    pub(super) fn compile(
        config: Option<&ConfirmationConfig>,
    ) -> Result<Option<Self>, ConfigError> {
        let Some(config) = config else {
            return Ok(None);
        };
        let thumbprint = config.certificate_bound_thumbprint.as_ref();
        let Some(thumbprint) = thumbprint.filter(|config| config.enabled == Some(true)) else {
            return Ok(None);
        };
        let header = if thumbprint.extract_certificate_from_header == Some(true) {
            let name = thumbprint.header_name.as_deref().map(str::trim);
            let name = name.unwrap_or(DEFAULT_CERTIFICATE_HEADER);
            Some(HeaderName::from_bytes(name.as_bytes()).map_err(|_invalid| {
                let path = "confirmationMethodValidation.certificateBoundThumbprint.headerName";
                ConfigError::new(path, format!("{name:?}"), "a header name")
            })?)
        } else {
            None
        };
        Ok(Some(Self {
            ignores_missing: config.ignore_missing == Some(true),
            header,
        }))
    }

    pub(super) fn holds(&self, token: &Token, request: &RequestFacts) -> bool {
        let confirmation = match token.claims.get("cnf") {
            Some(Value::Map(confirmation)) => confirmation.get("x5t#S256").and_then(Value::as_text),
            _ => None,
        };
        let Some(expected) = confirmation else {
            return self.ignores_missing;
        };
        let certificate: Option<Bytes> = match &self.header {
            Some(header) => certificate_in_header(request, header),
            None => request
                .tls
                .as_ref()
                .and_then(|tls| tls.client_certificates.first().cloned()),
        };
        let Some(certificate) = certificate else {
            return false;
        };
        let shown = URL_SAFE_NO_PAD.encode(fingerprint(&certificate));
        verify_slices_are_equal(shown.as_bytes(), expected.as_bytes()).is_ok()
    }
}
