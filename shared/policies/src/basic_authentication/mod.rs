//! `policy-basic-authentication`: lets only users with a name and a password through. Source: RFC 7617.

mod config;
#[cfg(test)]
mod tests;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use tidegate_expression::{Needs, Text, Value};
use tidegate_policy::{
    AsyncPolicy, CompileContext, Compiled, ConfigError, Exchange, Failure, Identity, Outcome,
    Phase, PolicyKind, Progress, RequestFacts, Services,
};

pub use config::BasicAuthenticationConfig;

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
        if config.authentication_providers.is_empty() {
            return Err(ConfigError::new(
                "authenticationProviders",
                "an empty list",
                "names of authentication resources",
            ));
        }
        let realm = config.realm.as_deref().filter(|realm| !realm.is_empty());
        let realm = realm.unwrap_or(REALM);
        let escaped = realm.replace('\\', "\\\\").replace('"', "\\\"");
        let challenge =
            HeaderValue::from_str(&format!("Basic realm=\"{escaped}\"")).map_err(|_error| {
                ConfigError::new("realm", format!("{realm:?}"), "text of visible characters")
            })?;
        let policy = PasswordCheck {
            providers: config.authentication_providers.into(),
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

struct Credentials {
    user: String,
    password: String,
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
        let Credentials { user, password } = credentials;
        let mut cause = "no provider knows this user with this password".to_owned();
        for name in &self.providers {
            let answer = match exchange.api.resources.authentication(name) {
                Ok(provider) => provider.authenticate(&user, &password, services).await,
                Err(error) => Err(error),
            };
            match answer {
                Ok(Some(identity)) => return remember(identity, exchange),
                Ok(None) => {}
                // The next provider may know the user.
                Err(error) => cause = format!("{name}: {error}"),
            }
        }
        self.refuse(cause)
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

/// Sets the attributes `user` and `user.<attribute>`.
fn remember(identity: Identity, exchange: &mut Exchange) -> Outcome {
    let attributes = &mut exchange.attributes;
    attributes.set_platform("user", Value::from(identity.user));
    for (name, value) in identity.attributes {
        let name = Text::from(format!("gravitee.attribute.user.{name}"));
        if !attributes.set(&name, value) {
            return crate::failures::internal_error("too many attributes");
        }
    }
    Outcome::Continue
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
