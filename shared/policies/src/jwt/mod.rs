//! `jwt`: a plan, or a step, that takes signed JSON web tokens (RFC 7519).
//!
//! The verifier is our own over aws-lc-rs: a token is taken apart once, straight into the values that
//! expressions see, keys stay parsed between requests, and nothing in a token chooses how it is checked.

mod algorithm;
mod claims;
mod config;
mod jwks;
mod key;
mod keys;
#[cfg(test)]
mod tests;
mod token;
mod verifier;

use tidegate_policy::{
    AsyncPolicy, CompileContext, Compiled, ConfigError, Exchange, Failure, Outcome, Phase,
    PolicyKind, Progress, Services,
};

pub use algorithm::Signature;
pub use config::{ConfirmationConfig, JwtConfig, KeyResolver, ThumbprintConfig, TypConfig};
pub(crate) use key::VerificationKey;
pub(crate) use keys::ParsedKeys;
pub use token::Token;
pub use verifier::{JwtVerifier, Verification};

use crate::bearer::bearer_token;
use verifier::unauthorized;

/// Name of the policy and of the kind of plan security.
pub const NAME: &str = "jwt";

/// Key of the failure of a step when no token was sent.
pub const MISSING_TOKEN: &str = "JWT_MISSING_TOKEN";

/// Key of the failure when the token is not accepted.
pub const INVALID_TOKEN: &str = "JWT_INVALID_TOKEN";

/// Key of the failure when the token belongs to another certificate than the client's.
pub const INVALID_BINDING: &str = "JWT_INVALID_CERTIFICATE_BOUND_THUMBPRINT";

/// The policy.
#[derive(Debug)]
pub struct Jwt;

impl PolicyKind for Jwt {
    const NAME: &'static str = NAME;
    const PHASES: &'static [Phase] = &[Phase::Request];
    type Config = JwtConfig;

    fn compile(config: JwtConfig, _ctx: &CompileContext<'_>) -> Result<Compiled, ConfigError> {
        let verifier = JwtVerifier::compile(&config)?;
        let needs = verifier.needs();
        Ok(Compiled::asynchronous(Step(verifier), needs))
    }
}

#[derive(Debug)]
struct Step(JwtVerifier);

impl AsyncPolicy for Step {
    fn on_request<'a>(
        &'a self,
        exchange: &'a mut Exchange,
        services: &'a Services,
    ) -> Progress<'a> {
        let Some(text) = bearer_token(&exchange.request) else {
            return fail(unauthorized(MISSING_TOKEN, "no bearer token"));
        };
        let Some(token) = Token::parse(text) else {
            return fail(unauthorized(INVALID_TOKEN, "not a signed token"));
        };
        match self.0.verify(token, exchange, services) {
            Verification::Done(Ok(())) => Progress::CONTINUE,
            Verification::Done(Err(failure)) => fail(failure),
            Verification::Waiting(checked) => Progress::waiting(async move {
                match checked.await {
                    Ok(()) => Outcome::Continue,
                    Err(failure) => Outcome::Fail(failure),
                }
            }),
        }
    }
}

fn fail(failure: Box<Failure>) -> Progress<'static> {
    Progress::Done(Outcome::Fail(failure))
}
