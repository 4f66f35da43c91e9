//! `oauth2`: a plan, or a step, that asks an authorisation server about access tokens (RFC 7662).

mod config;
#[cfg(test)]
mod tests;
mod verifier;

use tidegate_policy::{
    AsyncPolicy, CompileContext, Compiled, ConfigError, Exchange, Outcome, Phase, PolicyKind,
    Progress, Services,
};

pub use config::OAuth2Config;
pub use verifier::OAuth2Verifier;

use crate::bearer::bearer_token;
use verifier::{unanswered, unauthorized};

/// Name of the policy and of the kind of plan security.
pub const NAME: &str = "oauth2";

/// Key of the failure when the API has no such resource.
pub const MISSING_SERVER: &str = "OAUTH2_MISSING_SERVER";

/// Key of the failure of a step when no token was sent.
pub const MISSING_HEADER: &str = "OAUTH2_MISSING_HEADER";

/// Key of the failure of a step when the token is blank.
pub const MISSING_TOKEN: &str = "OAUTH2_MISSING_ACCESS_TOKEN";

/// Key of the failure when the server says that the token is not good.
pub const INVALID_TOKEN: &str = "OAUTH2_INVALID_ACCESS_TOKEN";

/// Key of the failure when the server's answer means nothing.
pub const INVALID_RESPONSE: &str = "OAUTH2_INVALID_SERVER_RESPONSE";

/// Key of the failure when the token lacks scopes.
pub const INSUFFICIENT_SCOPE: &str = "OAUTH2_INSUFFICIENT_SCOPE";

/// Key of the failure when the server cannot be reached.
pub const SERVER_UNAVAILABLE: &str = "OAUTH2_SERVER_UNAVAILABLE";

/// The policy.
#[derive(Debug)]
pub struct OAuth2;

impl PolicyKind for OAuth2 {
    const NAME: &'static str = NAME;
    const PHASES: &'static [Phase] = &[Phase::Request];
    type Config = OAuth2Config;

    fn compile(config: OAuth2Config, _ctx: &CompileContext<'_>) -> Result<Compiled, ConfigError> {
        let verifier = OAuth2Verifier::compile(&config)?;
        let needs = verifier.needs();
        Ok(Compiled::asynchronous(Step(verifier), needs))
    }
}

#[derive(Debug)]
struct Step(OAuth2Verifier);

impl AsyncPolicy for Step {
    fn on_request<'a>(
        &'a self,
        exchange: &'a mut Exchange,
        services: &'a Services,
    ) -> Progress<'a> {
        let token = match bearer_token(&exchange.request) {
            None => return Progress::Done(Outcome::Fail(unauthorized(MISSING_HEADER))),
            Some(blank) if blank.is_empty() => {
                return Progress::Done(Outcome::Fail(unauthorized(MISSING_TOKEN)));
            }
            Some(token) => token,
        };
        Progress::waiting(async move {
            let answer = match self.0.introspect(&token, exchange, services).await {
                Ok(answer) => answer,
                Err(error) => return Outcome::Fail(unanswered(&error)),
            };
            match self.0.accept(token, &answer, exchange) {
                Ok(()) => Outcome::Continue,
                Err(failure) => Outcome::Fail(failure),
            }
        })
    }
}
