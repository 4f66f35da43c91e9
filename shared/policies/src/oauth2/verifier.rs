//! A compiled `oauth2` configuration.

use std::time::Duration;

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use tidegate_expression::{Needs, Template, Text, Value};
use tidegate_policy::{
    Cache, ConfigError, Exchange, Failure, Introspection, OAuth2Provider, ResourceError, Services,
};

use super::config::OAuth2Config;
use super::{
    INSUFFICIENT_SCOPE, INVALID_RESPONSE, INVALID_TOKEN, MISSING_SERVER, SERVER_UNAVAILABLE,
};

const CHALLENGE: HeaderValue = HeaderValue::from_static(r#"Bearer realm="gravitee.io""#);

/// Checks tokens with their authorisation server and notes in the exchange what it says.
#[derive(Debug)]
pub struct OAuth2Verifier {
    resource: Template,
    cache: Option<Template>,
    extracts_payload: bool,
    scopes: Option<RequiredScopes>,
    propagates_header: bool,
}

#[derive(Debug)]
struct RequiredScopes {
    names: Box<[String]>,
    wants_all: bool,
}

impl OAuth2Verifier {
    /// Compiles a configuration.
    ///
    /// # Errors
    /// Fails with the member that cannot be used.
    pub fn compile(config: &OAuth2Config) -> Result<Self, ConfigError> {
        if config.oauth_resource.trim().is_empty() {
            let expected = "the name of a resource";
            return Err(ConfigError::new("oauthResource", "nothing", expected));
        }
        let cache = config.oauth_cache_resource.as_deref().map(str::trim);
        let checks_scopes = config.check_required_scopes == Some(true);
        Ok(Self {
            resource: ConfigError::template("oauthResource", config.oauth_resource.trim())?,
            cache: cache
                .filter(|name| !name.is_empty())
                .map(|name| ConfigError::template("oauthCacheResource", name))
                .transpose()?,
            extracts_payload: config.extract_payload == Some(true),
            scopes: checks_scopes.then(|| RequiredScopes {
                names: config.required_scopes.clone().into(),
                wants_all: config.mode_strict != Some(false),
            }),
            propagates_header: config.propagate_auth_header != Some(false),
        })
    }

    /// Bodies that a check reads.
    #[must_use]
    pub fn needs(&self) -> Needs {
        let cache = self.cache.as_ref().map_or(Needs::NONE, Template::needs);
        self.resource.needs() | cache
    }

    /// Asks the cache, else the authorisation server, about a token.
    ///
    /// # Errors
    /// There is no such resource, or the server gave no usable answer.
    pub async fn introspect(
        &self,
        token: &str,
        exchange: &Exchange,
        services: &Services,
    ) -> Result<Introspection, ResourceError> {
        let (name, provider) = self.provider(exchange)?;
        let cache = self.cache(exchange);
        // The cache may be seen by others: it never holds a token, and answers of one server only.
        let key = format!("oauth2:{name}:{}", digest_of(token));
        if let Some(cache) = cache
            && let Ok(Some(known)) = cache.get(&key, services).await
            && let Ok(payload) = serde_json::from_slice::<serde_json::Value>(&known)
        {
            return Ok(Introspection {
                is_active: true,
                payload,
            });
        }
        let answer = provider.introspect(token, services).await?;
        if answer.is_active
            && let Some(cache) = cache
            && let Some(life) = life_of(&answer, services.ambient.now_ms())
        {
            let content = Bytes::from(answer.payload.to_string());
            // A cache that is down makes requests slower, never fail.
            let _: Result<(), ResourceError> = cache.put(&key, content, life, services).await;
        }
        Ok(answer)
    }

    /// The client a token was issued to.
    #[must_use]
    pub fn client_id(&self, answer: &Introspection) -> Option<Text> {
        let id = answer.payload.get("client_id")?.as_str()?;
        (!id.trim().is_empty()).then(|| Text::from(id))
    }

    /// Checks what the server says of a token; then writes the attributes.
    ///
    /// # Errors
    /// The failure for the client.
    pub fn accept(
        &self,
        token: Text,
        answer: &Introspection,
        exchange: &mut Exchange,
    ) -> Result<(), Box<Failure>> {
        if !answer.is_active {
            return Err(unauthorized(INVALID_TOKEN));
        }
        let (separator, user_claim) = match self.provider(exchange) {
            Ok((_, provider)) => (
                provider.scope_separator().to_owned(),
                provider.user_claim().to_owned(),
            ),
            Err(_unknown) => return Err(unauthorized(MISSING_SERVER)),
        };
        let scopes = scopes(&answer.payload, &separator);
        if let Some(required) = &self.scopes
            && !required.are_in(&scopes)
        {
            return Err(unauthorized(INSUFFICIENT_SCOPE));
        }
        let user = answer.payload.get(&user_claim).map(Value::from);
        let client = self.client_id(answer);
        let attributes = &mut exchange.attributes;
        attributes.set_platform("oauth.access_token", token);
        attributes.set_platform("oauth.client_id", client);
        attributes.set_platform("user", user.as_ref().and_then(Value::to_text));
        let roles = scopes.iter().map(|scope| Value::from(scope.as_str()));
        attributes.set_platform("user.roles", Value::list(roles));
        if self.extracts_payload {
            attributes.set_platform("oauth.payload", answer.payload.to_string());
        }
        if !self.propagates_header {
            exchange.request.headers.remove(AUTHORIZATION);
        }
        Ok(())
    }

    fn provider<'e>(
        &self,
        exchange: &'e Exchange,
    ) -> Result<(String, &'e dyn OAuth2Provider), ResourceError> {
        let name = self.resource.evaluate_text(exchange).ok().flatten();
        let name = name.unwrap_or_default().into_owned();
        let provider = exchange.api.resources.oauth2(&name)?;
        Ok((name, &**provider))
    }

    fn cache<'e>(&self, exchange: &'e Exchange) -> Option<&'e dyn Cache> {
        let name = self.cache.as_ref()?.evaluate_text(exchange).ok()??;
        let cache = exchange.api.resources.cache(&name).ok()?;
        Some(&**cache)
    }
}

impl RequiredScopes {
    fn are_in(&self, scopes: &[String]) -> bool {
        let mut wanted = self.names.iter();
        if self.wants_all {
            wanted.all(|name| scopes.contains(name))
        } else {
            self.names.is_empty() || wanted.any(|name| scopes.contains(name))
        }
    }
}

/// How long an answer may be kept: until `exp`, or as long as the cache does; `None` if not at all.
#[expect(
    clippy::option_option,
    reason = "the inner one is the cache's own parameter"
)]
fn life_of(answer: &Introspection, now_ms: u64) -> Option<Option<Duration>> {
    let Some(expires) = answer.payload.get("exp") else {
        return Some(None);
    };
    let expires_ms = expires.as_u64()?.checked_mul(1000)?;
    let left = expires_ms.checked_sub(now_ms).filter(|left| *left > 0)?;
    Some(Some(Duration::from_millis(left)))
}

/// The scopes of a payload: `scope` or `scp`, a list or text.
fn scopes(payload: &serde_json::Value, separator: &str) -> Vec<String> {
    let member = payload.get("scope").or_else(|| payload.get("scp"));
    match member {
        Some(serde_json::Value::String(text)) => {
            let separator = if separator.is_empty() { " " } else { separator };
            let parts = text.split(separator).map(str::trim);
            parts
                .filter(|part| !part.is_empty())
                .map(str::to_owned)
                .collect()
        }
        Some(serde_json::Value::Array(list)) => {
            let texts = list.iter().filter_map(serde_json::Value::as_str);
            texts.map(str::to_owned).collect()
        }
        _ => Vec::new(),
    }
}

fn digest_of(token: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, token.as_bytes()))
}

/// The failure of a token whose server gave no usable answer.
pub(super) fn unanswered(error: &ResourceError) -> Box<Failure> {
    let failure = match error {
        ResourceError::Unknown { .. } => {
            // Nothing that the client could do about it: no challenge.
            let failure = Failure::new(StatusCode::UNAUTHORIZED).with_key(MISSING_SERVER);
            failure.with_message(Text::constant("Unauthorized"))
        }
        ResourceError::Unavailable(_) => Failure::new(StatusCode::SERVICE_UNAVAILABLE)
            .with_key(SERVER_UNAVAILABLE)
            .with_message(Text::constant("temporarily_unavailable"))
            .with_header(WWW_AUTHENTICATE, CHALLENGE),
        ResourceError::Unexpected(_) => *unauthorized(INVALID_RESPONSE),
    };
    Box::new(failure.with_cause(error))
}

pub(super) fn unauthorized(key: &'static str) -> Box<Failure> {
    let failure = Failure::new(StatusCode::UNAUTHORIZED);
    let failure = failure
        .with_key(key)
        .with_message(Text::constant("Unauthorized"));
    Box::new(failure.with_header(WWW_AUTHENTICATE, CHALLENGE))
}
