//! `policy-generate-jwt`: signs a JSON web token and puts it into the attribute `jwt.generated`.
//!
//! Source: RFC 7515, RFC 7519.

mod config;
mod key;
mod signer;
#[cfg(test)]
mod tests;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::StatusCode;
use serde_json::{Map, Value as Json, json};
use tidegate_expression::{Ambient, Needs, Template, Text, Value};
use tidegate_policy::{
    AsyncPolicy, CompileContext, Compiled, ConfigError, Exchange, Failure, Outcome, Phase,
    PolicyKind, Progress, Services,
};

pub use config::{CertificateChain, ClaimConfig, ExpirationUnit, GenerateJwtConfig, KeyResolver};

use crate::json::to_json;
use key::SigningKey;
use signer::Signer;

/// Attribute that gets the token.
pub const GENERATED: Text = Text::constant("jwt.generated");

const ISSUER: &str = "urn://gravitee-api-gw";

const LIFETIME: u32 = 30;

/// Longest token in bytes: it is meant for a header.
const TOKEN_BYTES_MAX: usize = 32 * 1024;

/// The kind of policy.
#[derive(Debug)]
pub struct GenerateJwt;

impl PolicyKind for GenerateJwt {
    const NAME: &'static str = "policy-generate-jwt";
    const PHASES: &'static [Phase] = &[Phase::Request];
    type Config = GenerateJwtConfig;

    fn compile(config: Self::Config, ctx: &CompileContext<'_>) -> Result<Compiled, ConfigError> {
        let key = SigningKey::load(&config, ctx.files)?;
        let wants_chain = config.x509_certificate_chain == CertificateChain::X5c;
        let chain: &[Vec<u8>] = match &key {
            Some(key) if wants_chain => &key.chain,
            _ => &[],
        };
        let header = header(&config, chain);
        let mut needs = Needs::NONE;
        let claims = Claims::compile(&config, &mut needs)?;
        let policy = Generation {
            header,
            signer: key.map(|key| key.signer),
            claims,
        };
        Ok(Compiled::asynchronous(policy, needs))
    }
}

/// The first part of every token, encoded.
fn header(config: &GenerateJwtConfig, chain: &[Vec<u8>]) -> String {
    let mut header = Map::new();
    if let Some(kid) = config.kid.as_deref().filter(|kid| !kid.is_empty()) {
        header.insert("kid".to_owned(), json!(kid));
    }
    header.insert("alg".to_owned(), json!(config.signature.name()));
    if !chain.is_empty() {
        let chain: Json = chain.iter().map(|der| STANDARD.encode(der)).collect();
        header.insert("x5c".to_owned(), chain);
    }
    URL_SAFE_NO_PAD.encode(Json::Object(header).to_string())
}

#[derive(Debug)]
struct Generation {
    header: String,
    /// `None` where the configuration was only checked.
    signer: Option<Signer>,
    claims: Claims,
}

#[derive(Debug)]
struct Claims {
    id: Option<Template>,
    audiences: Box<[Template]>,
    issuer: Option<Template>,
    subject: Option<Template>,
    lifetime_s: u64,
    custom: Box<[(String, Option<Template>)]>,
}

impl Claims {
    fn compile(config: &GenerateJwtConfig, needs: &mut Needs) -> Result<Self, ConfigError> {
        let mut template = |path: &str, source: &str| {
            let template = ConfigError::template(path, source)?;
            *needs |= template.needs();
            Ok(template)
        };
        let mut optional = |path: &str, source: Option<&str>| {
            let source = source.filter(|source| !source.is_empty());
            source.map(|source| template(path, source)).transpose()
        };
        let id = optional("id", config.id.as_deref())?;
        let issuer = optional("issuer", Some(config.issuer.as_deref().unwrap_or(ISSUER)))?;
        let subject = optional("subject", config.subject.as_deref())?;
        let mut custom = Vec::with_capacity(config.custom_claims.len());
        for (index, claim) in config.custom_claims.iter().enumerate() {
            let name = claim.name.trim();
            if name.is_empty() {
                let path = format!("customClaims[{index}].name");
                return Err(ConfigError::new(path, "nothing", "the name of a claim"));
            }
            let path = format!("customClaims[{index}].value");
            custom.push((name.to_owned(), optional(&path, claim.value.as_deref())?));
        }
        let audiences = config.audiences.iter().enumerate();
        let audiences = audiences
            .map(|(index, audience)| template(&format!("audiences[{index}]"), audience))
            .collect::<Result<_, _>>()?;
        let lifetime = u64::from(config.expires_in.unwrap_or(LIFETIME));
        Ok(Self {
            id,
            audiences,
            issuer,
            subject,
            lifetime_s: lifetime * config.expires_in_unit.seconds(),
            custom: custom.into(),
        })
    }

    fn evaluate(&self, exchange: &Exchange, ambient: &dyn Ambient) -> Result<Json, String> {
        let text = |template: &Template| {
            let text = template.evaluate_text(exchange);
            let text = text.map_err(|error| format!("claim: {error}"))?;
            Ok::<_, String>(
                text.filter(|text| !text.is_empty())
                    .map(|text| text.into_owned()),
            )
        };
        let optional = |template: &Option<Template>| match template {
            None => Ok(None),
            Some(template) => text(template),
        };
        let issued_s = ambient.now_ms() / 1000;
        let mut claims = Map::new();
        let mut put = |name: &str, value: Option<Json>| {
            if let Some(value) = value {
                claims.insert(name.to_owned(), value);
            }
        };
        put("iss", optional(&self.issuer)?.map(Json::from));
        put("sub", optional(&self.subject)?.map(Json::from));
        let mut audiences: Vec<Json> = Vec::with_capacity(self.audiences.len());
        for audience in &self.audiences {
            audiences.extend(text(audience)?.map(Json::from));
        }
        put(
            "aud",
            match audiences.len() {
                0 => None,
                1 => audiences.pop(),
                _ => Some(audiences.into()),
            },
        );
        let end = (self.lifetime_s > 0).then(|| json!(issued_s.saturating_add(self.lifetime_s)));
        put("exp", end);
        put("iat", Some(json!(issued_s)));
        let id = optional(&self.id)?.unwrap_or_else(|| uuid(ambient));
        put("jti", Some(json!(id)));
        for (name, template) in &self.custom {
            let value = match template {
                None => Json::from(""),
                Some(template) => to_json(
                    &template
                        .evaluate(exchange)
                        .map_err(|error| format!("claim {name}: {error}"))?,
                ),
            };
            // As the reference engine has it, a claim that is null is left out.
            put(name, (!value.is_null()).then_some(value));
        }
        Ok(Json::Object(claims))
    }
}

/// A random UUID (RFC 9562 §5.4).
fn uuid(ambient: &dyn Ambient) -> String {
    let random = u128::from(ambient.random()) << 64 | u128::from(ambient.random());
    let bits = random & !(0xf << 76) & !(0x3 << 62) | 0x4 << 76 | 0x2 << 62;
    let hex = format!("{bits:032x}");
    let parts = [
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..],
    ];
    parts.join("-")
}

impl Generation {
    fn token(&self, exchange: &Exchange, ambient: &dyn Ambient) -> Result<String, String> {
        let signer = self.signer.as_ref().ok_or("the key was not read")?;
        let claims = self.claims.evaluate(exchange, ambient)?.to_string();
        let mut token = format!("{}.{}", self.header, URL_SAFE_NO_PAD.encode(claims));
        let signature = signer
            .sign(token.as_bytes())
            .map_err(|error| error.to_string())?;
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        if token.len() > TOKEN_BYTES_MAX {
            return Err(format!("the token is longer than {TOKEN_BYTES_MAX} bytes"));
        }
        Ok(token)
    }
}

impl AsyncPolicy for Generation {
    fn on_request<'a>(
        &'a self,
        exchange: &'a mut Exchange,
        services: &'a Services,
    ) -> Progress<'a> {
        let result = self.token(exchange, &*services.ambient).and_then(|token| {
            let is_kept = exchange.attributes.set(&GENERATED, Value::from(token));
            is_kept
                .then_some(())
                .ok_or_else(|| "too many attributes".to_owned())
        });
        match result {
            Ok(()) => Progress::Done(Outcome::Continue),
            Err(cause) => Progress::fail(
                Failure::new(StatusCode::INTERNAL_SERVER_ERROR)
                    .with_message("Unable to generate JWT token")
                    .with_cause(cause),
            ),
        }
    }
}
