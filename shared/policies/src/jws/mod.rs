//! `jws`: takes requests whose body is a signed message, and passes on what was signed.
//!
//! Source: RFC 7515.

mod config;
mod message;
#[cfg(test)]
mod tests;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use serde_json::{Map, Value};
use tidegate_policy::{
    AsyncPolicy, CompileContext, Compiled, ConfigError, Exchange, Failure, Needs, Outcome, Phase,
    PolicyKind, Progress, Services,
};

pub use config::JwsConfig;

use crate::half::Half;
use crate::jwt::{ParsedKeys, Signature, VerificationKey};
use message::Message;

/// Beginning of the settings that hold keys: the key id follows.
const SETTING: &str = "policy.jws.kid.";

/// Key id in the settings for messages that name none.
const DEFAULT_KEY_ID: &str = "default";

/// The kind of policy.
#[derive(Debug)]
pub struct Jws;

impl PolicyKind for Jws {
    const NAME: &'static str = "jws";
    const PHASES: &'static [Phase] = &[Phase::Request];
    type Config = JwsConfig;

    fn compile(config: Self::Config, _ctx: &CompileContext<'_>) -> Result<Compiled, ConfigError> {
        let policy = Check {
            wants_validity: config.check_certificate_validity == Some(true),
            keys: Default::default(),
        };
        let needs = Needs {
            request_content: true,
            response_content: false,
        };
        Ok(Compiled::asynchronous(policy, needs))
    }

    fn undeployable(config: &Self::Config) -> Option<ConfigError> {
        let is_wanted = config.check_certificate_revocation == Some(true);
        is_wanted.then(|| {
            let expected = "false: revocation lists are not fetched for requests";
            ConfigError::new("checkCertificateRevocation", "true", expected)
        })
    }
}

#[derive(Default)]
struct Check {
    wants_validity: bool,
    /// Keys parsed before, by algorithm.
    keys: [ParsedKeys; 6],
}

impl std::fmt::Debug for Check {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Check")
            .field("wants_validity", &self.wants_validity)
            .finish_non_exhaustive()
    }
}

impl Check {
    /// Returns what was signed.
    fn payload(&self, exchange: &Exchange, services: &Services) -> Result<Vec<u8>, String> {
        let body = Half::Request.body(exchange).ok_or("no body")?;
        let text = std::str::from_utf8(body).map_err(|_error| "a body that is no text")?;
        let message = Message::parse(text)?;
        let now_ms = services.ambient.now_ms();
        self.check_signature(&message, services)?;
        self.check_certificate(&message, now_ms)?;
        let claims: Map<String, Value> = serde_json::from_slice(&message.payload)
            .map_err(|error| format!("payload: {error}"))?;
        check_time(&claims, now_ms)?;
        Ok(message.payload)
    }

    /// The node says whose messages are taken.
    fn check_signature(&self, message: &Message<'_>, services: &Services) -> Result<(), String> {
        let key_id = message.key_id.as_deref().unwrap_or(DEFAULT_KEY_ID);
        let name = format!("{SETTING}{key_id}");
        let Some(text) = services.settings.get(&name) else {
            return Err(format!("no setting {name}"));
        };
        let keys = &self.keys[place(message.signature)];
        let signed = message.signed.as_bytes();
        keys.check(text, message.signature, signed, &message.signature_bytes)
    }

    /// The certificate that the message carries must be of the same key.
    fn check_certificate(&self, message: &Message<'_>, now_ms: u64) -> Result<(), String> {
        let (_, certificate) = x509_parser::parse_x509_certificate(&message.certificate)
            .map_err(|_error| "an x5c that is no certificate")?;
        let key = VerificationKey::public(certificate.public_key().raw, message.signature)
            .map_err(|error| format!("the certificate has {error}"))?;
        if !key.verifies(message.signed.as_bytes(), &message.signature_bytes) {
            return Err("the certificate is of another key".to_owned());
        }
        let validity = certificate.validity();
        let now_s = i64::try_from(now_ms / 1000).unwrap_or(i64::MAX);
        let is_valid =
            (validity.not_before.timestamp()..=validity.not_after.timestamp()).contains(&now_s);
        if self.wants_validity && !is_valid {
            return Err("the certificate is not valid now".to_owned());
        }
        Ok(())
    }
}

/// Where the keys of an algorithm are kept.
fn place(signature: Signature) -> usize {
    match signature {
        Signature::Rs384 => 1,
        Signature::Rs512 => 2,
        Signature::Ps256 => 3,
        Signature::Ps384 => 4,
        Signature::Ps512 => 5,
        // The message takes no other.
        _ => 0,
    }
}

/// Checks `exp` and `nbf` (RFC 7519 §4.1), if the payload has them.
fn check_time(claims: &Map<String, Value>, now_ms: u64) -> Result<(), String> {
    let time = |name: &str| match claims.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => value
            .as_f64()
            .map(Some)
            .ok_or_else(|| format!("{name} is no time")),
    };
    // Precise for all times that clocks show.
    #[expect(
        clippy::cast_precision_loss,
        reason = "a float has 53 bits, a time in milliseconds 41"
    )]
    let now_s = now_ms as f64 / 1000.0;
    if time("exp")?.is_some_and(|end| end <= now_s) {
        return Err("the message has expired".to_owned());
    }
    if time("nbf")?.is_some_and(|start| start > now_s) {
        return Err("the message is not valid yet".to_owned());
    }
    Ok(())
}

impl AsyncPolicy for Check {
    fn on_request<'a>(
        &'a self,
        exchange: &'a mut Exchange,
        services: &'a Services,
    ) -> Progress<'a> {
        match self.payload(exchange, services) {
            Ok(payload) => {
                Half::Request.replace_body(exchange, Bytes::from(payload));
                let value = HeaderValue::from_static("application/json");
                exchange.request.headers.set(CONTENT_TYPE, value);
                Progress::Done(Outcome::Continue)
            }
            Err(cause) => Progress::fail(
                Failure::new(StatusCode::UNAUTHORIZED)
                    .with_message("Unauthorized")
                    .with_cause(cause),
            ),
        }
    }
}
