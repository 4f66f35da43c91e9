//! `policy-basic-authentication`: lets only users with a name and a password through. Source: RFC 7617.

mod config;
#[cfg(test)]
mod tests;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use tidegate_expression::Needs;
use tidegate_policy::{
    AsyncPolicy, CompileContext, Compiled, ConfigError, Exchange, Failure, Outcome, Phase,
    PolicyKind, Progress, RequestFacts, Services,
};

pub use config::BasicAuthenticationConfig;

use crate::log_in::{Credentials, compile_providers, find_user, remember};

const REALM: &str = "gravitee.io";

/// Longest credentials looked at, in bytes.
const CREDENTIALS_BYTES_MAX: usize = 8 * 1024;

/// The kind of policy.
#[derive(Debug)]
pub struct BasicAuthentication;

impl PolicyKind for BasicAuthentication {
    const NAME: &'static str = "policy-basic-authentication";
    const PHASES: &'static [Phase] = &[Phase::Request];
    type Config = BasicAuthenticationConfig;

    fn compile(config: Self::Config, _ctx: &CompileContext<'_>) -> Result<Compiled, ConfigError> {
        let providers = compile_providers(config.authentication_providers)?;
        let realm = config.realm.as_deref().filter(|realm| !realm.is_empty());
        let realm = realm.unwrap_or(REALM);
        let escaped = realm.replace('\\', "\\\\").replace('"', "\\\"");
        let challenge =
            HeaderValue::from_str(&format!("Basic realm=\"{escaped}\"")).map_err(|_error| {
                ConfigError::new("realm", format!("{realm:?}"), "text of visible characters")
            })?;
        let policy = PasswordCheck {
            providers,
            challenge,
        };
        Ok(Compiled::asynchronous(policy, Needs::NONE))
    }
}

#[derive(Debug)]
struct PasswordCheck {
    providers: Box<[String]>,
    challenge: HeaderValue,
}

/// Reads the credentials of `Authorization`.
fn credentials(request: &RequestFacts) -> Option<Credentials> {
    let value = request.headers.get(AUTHORIZATION)?.to_str().ok()?.trim();
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") || encoded.len() > CREDENTIALS_BYTES_MAX {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (user, password) = decoded.split_once(':')?;
    (!user.is_empty()).then(|| Credentials {
        user: user.to_owned(),
        password: password.to_owned(),
    })
}

impl PasswordCheck {
    async fn check(
        &self,
        credentials: Credentials,
        exchange: &mut Exchange,
        services: &Services,
    ) -> Outcome {
        match find_user(&self.providers, &credentials, exchange, services).await {
            Ok(identity) => remember(identity, exchange),
            Err(cause) => self.refuse(cause),
        }
    }

    fn refuse(&self, cause: impl std::fmt::Display) -> Outcome {
        Outcome::fail(
            Failure::new(StatusCode::UNAUTHORIZED)
                .with_message("Unauthorized")
                .with_header(WWW_AUTHENTICATE, self.challenge.clone())
                .with_cause(cause),
        )
    }
}

impl AsyncPolicy for PasswordCheck {
    fn on_request<'a>(
        &'a self,
        exchange: &'a mut Exchange,
        services: &'a Services,
    ) -> Progress<'a> {
        match credentials(&exchange.request) {
            Some(credentials) => Progress::waiting(self.check(credentials, exchange, services)),
            None => Progress::Done(self.refuse("no credentials")),
        }
    }
}
