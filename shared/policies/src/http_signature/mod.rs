//! `http-signature`: lets only requests through that are signed with a shared secret.
//!
//! Source: draft-cavage-http-signatures-12.

mod config;
mod parse;
pub(crate) mod signing;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::AUTHORIZATION;
use http::{HeaderName, StatusCode};
use percent_encoding::percent_decode_str;
use tidegate_expression::Template;
use tidegate_policy::{
    AsyncPolicy, CompileContext, Compiled, ConfigError, Exchange, Failure, Outcome, Phase,
    PolicyKind, Progress, Services,
};

pub use config::HttpSignatureConfig;
pub use signing::{Algorithm, SignatureScheme};

use crate::variables::Variable;
use parse::Parsed;
use signing::{Field, Signed, signing_string};

/// Key of the failure.
pub const INVALID_SIGNATURE: &str = "HTTP_SIGNATURE_INVALID_SIGNATURE";

/// The header of the scheme `SIGNATURE`.
pub(crate) const SIGNATURE: HeaderName = HeaderName::from_static("signature");

const CLOCK_SKEW_S: u32 = 30;

/// The algorithm name of signers that do not tell which they used (§2.1.3 of the draft).
const HIDDEN_ALGORITHM: &str = "hs2019";

/// The kind of policy.
#[derive(Debug)]
pub struct HttpSignature;

impl PolicyKind for HttpSignature {
    const NAME: &'static str = "http-signature";
    const PHASES: &'static [Phase] = &[Phase::Request];
    type Config = HttpSignatureConfig;

    fn compile(config: Self::Config, _ctx: &CompileContext<'_>) -> Result<Compiled, ConfigError> {
        let secret = compile_secret(&config.secret)?;
        let needs = secret.needs();
        let policy = SignatureCheck {
            scheme: config.scheme,
            secret,
            algorithms: config.algorithms.into(),
            wanted: compile_fields(&config.enforce_headers, "enforceHeaders")?,
            skew_ms: i64::from(config.clock_skew.unwrap_or(CLOCK_SKEW_S)) * 1000,
            decodes: config.decode_signature == Some(true),
            is_strict: config.strict_mode != Some(false),
        };
        Ok(Compiled::asynchronous(policy, needs))
    }
}

/// Compiles the member `secret`; an error does not show it.
pub(crate) fn compile_secret(secret: &str) -> Result<Template, ConfigError> {
    if secret.is_empty() {
        return Err(ConfigError::new("secret", "nothing", "a secret"));
    }
    Template::compile(secret)
        .map_err(|error| ConfigError::new("secret", "an invalid expression", error.expected))
}

/// Compiles a list of names of headers and of `(request-target)`, `(created)` and `(expires)`.
pub(crate) fn compile_fields(names: &[String], path: &str) -> Result<Box<[Field]>, ConfigError> {
    if names.len() > signing::FIELDS_MAX {
        let expected = format!("at most {} names", signing::FIELDS_MAX);
        return Err(ConfigError::new(path, names.len().to_string(), expected));
    }
    let names = names.iter().enumerate();
    names
        .filter(|(_, name)| !name.trim().is_empty())
        .map(|(index, name)| {
            Field::parse(name.trim()).ok_or_else(|| {
                let found = format!("{name:?}");
                ConfigError::new(format!("{path}[{index}]"), found, "a header name")
            })
        })
        .collect()
}

#[derive(Debug)]
struct SignatureCheck {
    scheme: SignatureScheme,
    secret: Template,
    /// Accepted algorithms; all if empty.
    algorithms: Box<[Algorithm]>,
    /// Fields that must be signed.
    wanted: Box<[Field]>,
    skew_ms: i64,
    decodes: bool,
    is_strict: bool,
}

impl SignatureCheck {
    fn check(&self, exchange: &Exchange, now_ms: u64) -> Result<(), String> {
        let name = match self.scheme {
            SignatureScheme::Authorization => AUTHORIZATION,
            SignatureScheme::Signature => SIGNATURE,
        };
        let text = exchange.request.headers.get(&name);
        let text = text
            .and_then(|value| value.to_str().ok())
            .ok_or("no signature")?;
        let parsed = Parsed::parse(text, self.is_strict)?;
        let algorithm = self.algorithm(parsed.algorithm)?;
        if let Some(missing) = self
            .wanted
            .iter()
            .find(|name| !parsed.fields.contains(name))
        {
            return Err(format!("{} is not signed", missing.name()));
        }
        self.check_time(&parsed, now_ms)?;
        let key_id = Variable::new("keyId", parsed.key_id);
        let secret = self
            .secret
            .evaluate_text(&key_id.beside(exchange))
            .map_err(|error| format!("secret: {error}"))?
            .filter(|secret| !secret.is_empty())
            .ok_or("the secret evaluates to nothing")?;
        let key = algorithm.key(secret.as_bytes());
        self.verify(&parsed, &key, exchange)
    }

    fn algorithm(&self, name: &str) -> Result<Algorithm, String> {
        if name.eq_ignore_ascii_case(HIDDEN_ALGORITHM) {
            return match *self.algorithms {
                [only] => Ok(only),
                _ => Err("hs2019 leaves the algorithm open".to_owned()),
            };
        }
        Algorithm::parse(name)
            .filter(|found| self.algorithms.is_empty() || self.algorithms.contains(found))
            .ok_or_else(|| format!("algorithm {name:?} is not accepted"))
    }

    fn check_time(&self, parsed: &Parsed<'_>, now_ms: u64) -> Result<(), String> {
        let now_ms = i64::try_from(now_ms).unwrap_or(i64::MAX);
        if let Some(created) = parsed.created {
            let created: i64 = created.parse().map_err(|_error| "created is no number")?;
            if created.saturating_mul(1000) > now_ms.saturating_add(self.skew_ms) {
                return Err("the signature is not valid yet".to_owned());
            }
        }
        if let Some(expires) = parsed.expires {
            let expires_ms = milliseconds(expires).ok_or("expires is no number")?;
            if expires_ms < now_ms {
                return Err("the signature has expired".to_owned());
            }
        }
        Ok(())
    }

    /// Compares with what the client may have signed: the path with its query, as the draft has it, or without, as
    /// the reference engine has it; `expires` as it was written, or with three decimals.
    fn verify(
        &self,
        parsed: &Parsed<'_>,
        key: &hmac::Key,
        exchange: &Exchange,
    ) -> Result<(), String> {
        let request = &exchange.request;
        let signature: Cow<'_, str> = if self.decodes {
            percent_decode_str(parsed.signature).decode_utf8_lossy()
        } else {
            Cow::Borrowed(parsed.signature)
        };
        let signature = STANDARD
            .decode(signature.as_bytes())
            .map_err(|_error| "the signature is no Base64")?;
        let decimals = parsed.expires.and_then(milliseconds).map(with_decimals);
        let has = |field| parsed.fields.contains(&field);
        let mut targets = vec![request.path.uri()];
        if has(Field::RequestTarget) && request.path.raw() != request.path.uri() {
            targets.push(request.path.raw());
        }
        let mut expirations = vec![parsed.expires];
        if has(Field::Expires) && decimals.as_deref() != parsed.expires {
            expirations.push(decimals.as_deref());
        }
        for target in targets {
            for expires in &expirations {
                let signed = Signed {
                    target,
                    created: parsed.created,
                    expires: *expires,
                };
                let text = signing_string(&parsed.fields, request, signed)
                    .map_err(|missing| format!("the request has no {missing}"))?;
                // Compares in constant time.
                if hmac::verify(key, &text, &signature).is_ok() {
                    return Ok(());
                }
            }
        }
        Err("the signature does not fit".to_owned())
    }
}

/// Reads seconds with at most three decimals that count.
fn milliseconds(text: &str) -> Option<i64> {
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
    if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let digits: String = fraction.chars().chain("000".chars()).take(3).collect();
    let seconds: i64 = seconds.parse().ok()?;
    seconds
        .checked_mul(1000)?
        .checked_add(digits.parse().ok()?)
        .filter(|_| seconds >= 0)
}

/// Writes milliseconds as seconds with three decimals.
pub(crate) fn with_decimals(milliseconds: i64) -> String {
    format!("{}.{:03}", milliseconds / 1000, milliseconds % 1000)
}

impl AsyncPolicy for SignatureCheck {
    fn on_request<'a>(
        &'a self,
        exchange: &'a mut Exchange,
        services: &'a Services,
    ) -> Progress<'a> {
        match self.check(exchange, services.ambient.now_ms()) {
            Ok(()) => Progress::Done(Outcome::Continue),
            Err(cause) => Progress::fail(
                Failure::new(StatusCode::UNAUTHORIZED)
                    .with_key(INVALID_SIGNATURE)
                    .with_message("Invalid HTTP Signature")
                    .with_cause(cause),
            ),
        }
    }
}
