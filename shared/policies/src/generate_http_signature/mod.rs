//! `generate-http-signature`: signs the request to the endpoint with a shared secret.
//!
//! Source: draft-cavage-http-signatures-12.

mod config;
#[cfg(test)]
mod tests;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, DATE};
use http::{HeaderName, HeaderValue, StatusCode};
use tidegate_expression::Template;
use tidegate_policy::{
    CompileContext, Compiled, ConfigError, Exchange, Failure, InlinePolicy, Outcome, Phase,
    PolicyKind,
};

pub use config::GenerateHttpSignatureConfig;

use crate::http_signature::signing::{Field, Signed, signing_string};
use crate::http_signature::{
    Algorithm, SIGNATURE, SignatureScheme, compile_fields, compile_secret, with_decimals,
};

/// Key of the failure.
pub const IMPOSSIBLE_GENERATION: &str = "HTTP_SIGNATURE_IMPOSSIBLE_GENERATION";

const VALIDITY_S: u32 = 3;

/// The kind of policy.
#[derive(Debug)]
pub struct GenerateHttpSignature;

impl PolicyKind for GenerateHttpSignature {
    const NAME: &'static str = "generate-http-signature";
    const PHASES: &'static [Phase] = &[Phase::Request];
    type Config = GenerateHttpSignatureConfig;

    fn compile(config: Self::Config, _ctx: &CompileContext<'_>) -> Result<Compiled, ConfigError> {
        if config.key_id.trim().is_empty() {
            return Err(ConfigError::new("keyId", "nothing", "the id of the key"));
        }
        let validity = config.validity_duration.unwrap_or(VALIDITY_S);
        if validity == 0 {
            return Err(ConfigError::new(
                "validityDuration",
                "0",
                "at least one second",
            ));
        }
        let key_id = ConfigError::template("keyId", &config.key_id)?;
        let secret = compile_secret(&config.secret)?;
        let needs = key_id.needs() | secret.needs();
        let mut fields = compile_fields(&config.headers, "headers")?.into_vec();
        for (field, is_wanted) in [
            (Field::Created, config.created != Some(false)),
            (Field::Expires, config.expires != Some(false)),
        ] {
            if is_wanted && !fields.contains(&field) {
                fields.push(field);
            }
        }
        if fields.is_empty() {
            fields.push(Field::Header(DATE));
        }
        let policy = Signing {
            scheme: config.scheme,
            key_id,
            secret,
            algorithm: config.algorithm,
            fields: fields.into(),
            validity_ms: i64::from(validity) * 1000,
        };
        Ok(Compiled::inline(policy, needs))
    }
}

#[derive(Debug)]
struct Signing {
    scheme: SignatureScheme,
    key_id: Template,
    secret: Template,
    algorithm: Algorithm,
    fields: Box<[Field]>,
    validity_ms: i64,
}

impl Signing {
    /// Writes the parameters of the signature, without the name of the scheme.
    fn parameters(&self, exchange: &Exchange) -> Result<String, Box<Failure>> {
        let request = &exchange.request;
        let text = |template: &Template, name: &str| match template.evaluate_text(exchange) {
            Ok(Some(text)) if !text.is_empty() => Ok(text.into_owned()),
            Ok(_) => Err(impossible(format!("{name} evaluates to nothing"))),
            Err(error) => Err(impossible(format!("{name}: {error}"))),
        };
        let key_id = text(&self.key_id, "keyId")?;
        if key_id.contains(['"', '\\']) {
            return Err(impossible("keyId has quotes"));
        }
        let secret = text(&self.secret, "secret")?;
        let now_ms = i64::try_from(request.timestamp_ms).unwrap_or_default();
        let created = (now_ms / 1000).to_string();
        let expires = with_decimals(now_ms.saturating_add(self.validity_ms));
        let signed = Signed {
            // As the reference engine has it: what the client called, without the query.
            target: request.path.raw(),
            created: Some(&created),
            expires: Some(&expires),
        };
        let signed = signing_string(&self.fields, request, signed).map_err(missing)?;
        let key = self.algorithm.key(secret.as_bytes());
        let signature = STANDARD.encode(hmac::sign(&key, &signed));
        let names: Vec<&str> = self.fields.iter().map(Field::name).collect();
        let mut parameters = format!("keyId=\"{key_id}\"");
        if self.fields.contains(&Field::Created) {
            parameters.push_str(&format!(",created={created}"));
        }
        if self.fields.contains(&Field::Expires) {
            parameters.push_str(&format!(",expires={expires}"));
        }
        parameters.push_str(&format!(
            ",algorithm=\"{}\",headers=\"{}\",signature=\"{signature}\"",
            self.algorithm.name(),
            names.join(" ")
        ));
        Ok(parameters)
    }

    fn header(&self, exchange: &Exchange) -> Result<(HeaderName, HeaderValue), Box<Failure>> {
        let parameters = self.parameters(exchange)?;
        let (name, value) = match self.scheme {
            SignatureScheme::Authorization => (AUTHORIZATION, format!("Signature {parameters}")),
            SignatureScheme::Signature => (SIGNATURE, parameters),
        };
        let value = HeaderValue::from_str(&value)
            .map_err(|_error| impossible("keyId has control characters"))?;
        Ok((name, value))
    }
}

/// A header that the client should have sent.
fn missing(name: &str) -> Box<Failure> {
    let message = format!("Unable to generate HTTP Signature: those headers are missing [{name}]");
    let failure = Failure::new(StatusCode::BAD_REQUEST).with_key(IMPOSSIBLE_GENERATION);
    Box::new(failure.with_message(message))
}

fn impossible(cause: impl std::fmt::Display) -> Box<Failure> {
    let failure = Failure::new(StatusCode::INTERNAL_SERVER_ERROR)
        .with_key(IMPOSSIBLE_GENERATION)
        .with_message("Unable to generate HTTP Signature");
    Box::new(failure.with_cause(cause))
}

impl InlinePolicy for Signing {
    fn on_request(&self, exchange: &mut Exchange) -> Outcome {
        match self.header(exchange) {
            Ok((name, value)) => {
                exchange.request.headers.set(name, value);
                Outcome::Continue
            }
            Err(failure) => Outcome::Fail(failure),
        }
    }
}
