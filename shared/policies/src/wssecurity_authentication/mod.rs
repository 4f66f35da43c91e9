//! `policy-wssecurity-authentication`: lets only SOAP messages through whose user has a name and a password.
//!
//! Source: Web Services Security UsernameToken Profile 1.1.1.

mod config;
#[cfg(test)]
mod tests;
mod token;

use http::StatusCode;
use tidegate_policy::{
    AsyncPolicy, CompileContext, Compiled, ConfigError, Exchange, Failure, Outcome, Phase,
    PolicyKind, Progress, Services,
};

pub use config::WssecurityAuthenticationConfig;

use crate::half::Half;
use crate::log_in::{Credentials, compile_providers, find_user, remember};
use crate::xml_text::decode;

/// Key of the failure.
pub const UNAUTHORIZED: &str = "WSSECURITY_AUTH_UNAUTHORIZED";

/// The kind of policy.
#[derive(Debug)]
pub struct WssecurityAuthentication;

impl PolicyKind for WssecurityAuthentication {
    const NAME: &'static str = "policy-wssecurity-authentication";
    const PHASES: &'static [Phase] = &[Phase::Request];
    type Config = WssecurityAuthenticationConfig;

    fn compile(config: Self::Config, ctx: &CompileContext<'_>) -> Result<Compiled, ConfigError> {
        let policy = PasswordCheck(compile_providers(config.authentication_providers)?);
        Ok(Compiled::asynchronous(policy, Half::needs_in(ctx.phase)))
    }
}

#[derive(Debug)]
struct PasswordCheck(Box<[String]>);

fn credentials(exchange: &Exchange) -> Result<Credentials, String> {
    let body = Half::Request.body(exchange).ok_or("no body")?;
    let text = decode(body, Half::Request.content_type(exchange))?;
    token::credentials(&text)
}

fn refuse(cause: impl std::fmt::Display) -> Outcome {
    Outcome::fail(
        Failure::new(StatusCode::UNAUTHORIZED)
            .with_key(UNAUTHORIZED)
            .with_message("Unauthorized")
            .with_cause(cause),
    )
}

impl AsyncPolicy for PasswordCheck {
    fn on_request<'a>(
        &'a self,
        exchange: &'a mut Exchange,
        services: &'a Services,
    ) -> Progress<'a> {
        match credentials(exchange) {
            Err(cause) => Progress::Done(refuse(cause)),
            Ok(credentials) => Progress::waiting(async move {
                match find_user(&self.0, &credentials, exchange, services).await {
                    Ok(identity) => remember(identity, exchange),
                    Err(cause) => refuse(cause),
                }
            }),
        }
    }
}
