//! A compiled `jwt` configuration.

use std::fmt;

use http::StatusCode;
use http::header::AUTHORIZATION;
use tidegate_expression::{Needs, Text, Value};
use tidegate_policy::{BoxFuture, ConfigError, Exchange, Failure, Services};

use super::algorithm::Signature;
use super::claims::{Binding, Types, is_in_time};
use super::config::JwtConfig;
use super::keys::{Keys, Tried};
use super::token::Token;
use super::{INVALID_BINDING, INVALID_TOKEN};

const DEFAULT_USER_CLAIM: &str = "sub";

/// Checks tokens and notes in the exchange what they say.
#[derive(Debug)]
pub struct JwtVerifier {
    signature: Signature,
    keys: Keys,
    types: Option<Types>,
    binding: Option<Binding>,
    user_claim: String,
    client_id_claim: Option<String>,
    extracts_claims: bool,
    propagates_header: bool,
}

/// The result of a check, at once or after a call to the issuer.
pub enum Verification<'a> {
    /// Decided with the keys at hand.
    Done(Result<(), Box<Failure>>),
    /// The issuer is asked for its keys.
    Waiting(BoxFuture<'a, Result<(), Box<Failure>>>),
}

impl fmt::Debug for Verification<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done(result) => f.debug_tuple("Done").field(result).finish(),
            Self::Waiting(_) => f.write_str("Waiting(..)"),
        }
    }
}

impl JwtVerifier {
    /// Compiles a configuration: keys are parsed, expressions compiled.
    ///
    /// # Errors
    /// Fails with the member that cannot be used.
    pub fn compile(config: &JwtConfig) -> Result<Self, ConfigError> {
        let named = |claim: &Option<String>| {
            let claim = claim.as_deref().map(str::trim);
            claim.filter(|claim| !claim.is_empty()).map(str::to_owned)
        };
        Ok(Self {
            signature: config.signature,
            keys: Keys::compile(config)?,
            types: Types::compile(config.token_typ_validation.as_ref()),
            binding: Binding::compile(config.confirmation_method_validation.as_ref())?,
            user_claim: named(&config.user_claim).unwrap_or(DEFAULT_USER_CLAIM.to_owned()),
            client_id_claim: named(&config.client_id_claim),
            extracts_claims: config.extract_claims == Some(true),
            propagates_header: config.propagate_auth_header != Some(false),
        })
    }

    /// Bodies that a check reads.
    #[must_use]
    pub fn needs(&self) -> Needs {
        self.keys.needs()
    }

    /// The client a token was issued to: the configured claim, else `azp`, the first `aud`, `client_id`.
    #[must_use]
    pub fn client_id(&self, token: &Token) -> Option<Text> {
        let usable = |id: Text| Some(id).filter(|id| !id.trim().is_empty());
        if let Some(claim) = &self.client_id_claim {
            return token.text_claim(claim).and_then(usable);
        }
        let audience = || match token.claims.get("aud")? {
            Value::List(all) => all.first()?.to_text(),
            one => one.to_text(),
        };
        let authorised = token.text_claim("azp").and_then(usable);
        authorised
            .or_else(|| audience().and_then(usable))
            .or_else(|| token.text_claim("client_id").and_then(usable))
    }

    /// Checks signature, dates, type and binding; then writes the attributes.
    pub fn verify<'a>(
        &'a self,
        token: Token,
        exchange: &'a mut Exchange,
        services: &'a Services,
    ) -> Verification<'a> {
        if token.header.alg != self.signature.name() {
            let cause = format!(
                "signed with another algorithm than {}",
                self.signature.name()
            );
            return Verification::Done(Err(invalid(cause)));
        }
        if token.header.crit.is_some() {
            return Verification::Done(Err(invalid("critical extensions are not understood")));
        }
        match self.keys.check(&token, self.signature, exchange, services) {
            Tried::Good => Verification::Done(self.accept(&token, exchange)),
            Tried::Bad(cause) => Verification::Done(Err(invalid(cause))),
            Tried::Unknown(source) => Verification::Waiting(Box::pin(async move {
                if let Keys::Sets(sets) = &self.keys {
                    sets.refresh(&source, services).await;
                }
                match self.keys.check(&token, self.signature, exchange, services) {
                    Tried::Good => self.accept(&token, exchange),
                    Tried::Bad(cause) => Err(invalid(cause)),
                    Tried::Unknown(source) => Err(invalid(source.cause())),
                }
            })),
        }
    }

    /// The signature is good.
    fn accept(&self, token: &Token, exchange: &mut Exchange) -> Result<(), Box<Failure>> {
        if !is_in_time(token, exchange.request.timestamp_ms) {
            return Err(invalid("expired, or not valid yet"));
        }
        if let Some(types) = &self.types
            && !types.accept(token)
        {
            return Err(invalid("a token of another type"));
        }
        if let Some(binding) = &self.binding
            && !binding.holds(token, &exchange.request)
        {
            return Err(unauthorized(
                INVALID_BINDING,
                "bound to another certificate",
            ));
        }
        let attributes = &mut exchange.attributes;
        attributes.set_platform("jwt.token", token.text.clone());
        attributes.set_platform("oauth.client_id", self.client_id(token));
        attributes.set_platform("user", token.text_claim(&self.user_claim));
        if self.extracts_claims {
            attributes.set_platform("jwt.claims", Value::Map(token.claims.clone()));
        }
        if !self.propagates_header {
            exchange.request.headers.remove(AUTHORIZATION);
        }
        Ok(())
    }
}

fn invalid(cause: impl fmt::Display) -> Box<Failure> {
    unauthorized(INVALID_TOKEN, cause)
}

pub(super) fn unauthorized(key: &'static str, cause: impl fmt::Display) -> Box<Failure> {
    let failure = Failure::new(StatusCode::UNAUTHORIZED);
    let failure = failure
        .with_key(key)
        .with_message(Text::constant("Unauthorized"));
    Box::new(failure.with_cause(cause))
}
