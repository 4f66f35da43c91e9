//! `policy-openid-userinfo`: asks an authorisation server for the user of an access token.
//!
//! Source: OpenID Connect Core 1.0 §5.3.

mod config;
#[cfg(test)]
mod tests;

use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use tidegate_expression::{Template, Text};
use tidegate_policy::{
    AsyncPolicy, CompileContext, Compiled, ConfigError, Exchange, Failure, Outcome, Phase,
    PolicyKind, Progress, ResourceError, Services,
};

pub use config::OpenidUserinfoConfig;

use crate::bearer::bearer_in_header;

const CHALLENGE: HeaderValue = HeaderValue::from_static(r#"Bearer realm="gravitee.io""#);

/// The kind of policy.
#[derive(Debug)]
pub struct OpenidUserinfo;

impl PolicyKind for OpenidUserinfo {
    const NAME: &'static str = "policy-openid-userinfo";
    const PHASES: &'static [Phase] = &[Phase::Request];
    type Config = OpenidUserinfoConfig;

    fn compile(config: Self::Config, _ctx: &CompileContext<'_>) -> Result<Compiled, ConfigError> {
        let name = config.oauth_resource.trim();
        if name.is_empty() {
            let expected = "the name of a resource";
            return Err(ConfigError::new("oauthResource", "nothing", expected));
        }
        let resource = ConfigError::template("oauthResource", name)?;
        let needs = resource.needs();
        let policy = Question {
            resource,
            extracts_payload: config.extract_payload == Some(true),
        };
        Ok(Compiled::asynchronous(policy, needs))
    }
}

#[derive(Debug)]
struct Question {
    resource: Template,
    extracts_payload: bool,
}

impl Question {
    async fn ask(&self, token: Text, exchange: &mut Exchange, services: &Services) -> Outcome {
        let name = self.resource.evaluate_text(exchange).ok().flatten();
        let name = name.unwrap_or_default();
        let answer = match exchange.api.resources.oauth2(&name) {
            Ok(provider) => provider.user_info(&token, services).await,
            Err(error) => Err(error),
        };
        let payload = match answer {
            Ok(payload) => payload,
            Err(error) => return unanswered(&error),
        };
        let attributes = &mut exchange.attributes;
        attributes.set_platform("oauth.access_token", token);
        if self.extracts_payload {
            attributes.set_platform("openid.userinfo.payload", payload.to_string());
        }
        Outcome::Continue
    }
}

fn unanswered(error: &ResourceError) -> Outcome {
    let failure = match error {
        ResourceError::Unknown { .. } => Failure::new(StatusCode::UNAUTHORIZED)
            .with_message("No OpenID Connect authorization server has been configured"),
        ResourceError::Unavailable(_) => Failure::new(StatusCode::SERVICE_UNAVAILABLE)
            .with_message("Service Unavailable")
            .with_header(WWW_AUTHENTICATE, CHALLENGE),
        // The server answered, and not with a user.
        ResourceError::Unexpected(_) => unauthorized("Invalid OAuth access token was supplied"),
    };
    Outcome::fail(failure.with_cause(error))
}

fn unauthorized(message: &'static str) -> Failure {
    Failure::new(StatusCode::UNAUTHORIZED)
        .with_message(message)
        .with_header(WWW_AUTHENTICATE, CHALLENGE)
}

impl AsyncPolicy for Question {
    fn on_request<'a>(
        &'a self,
        exchange: &'a mut Exchange,
        services: &'a Services,
    ) -> Progress<'a> {
        match bearer_in_header(&exchange.request) {
            None => {
                let message = if exchange.request.headers.contains_key(AUTHORIZATION) {
                    "No OAuth bearer token was supplied"
                } else {
                    "No OAuth authorization header was supplied"
                };
                Progress::fail(unauthorized(message))
            }
            Some(token) if token.is_empty() => {
                Progress::fail(unauthorized("No OAuth access token was supplied"))
            }
            Some(token) => Progress::waiting(self.ask(token, exchange, services)),
        }
    }
}
