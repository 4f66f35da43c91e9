//! What the server says of a token, and what the client is told.

use std::sync::Arc;

use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use serde_json::{Value, json};
use tidegate_policy::{
    BoxFuture, Exchange, Introspection, OAuth2Provider, Phase, Resource, ResourceError, Resources,
    Services,
};

use crate::testing::{example, exchange, failure, refusal, run};

const NAME: &str = "policy-openid-userinfo";

/// Knows the token `good`.
#[derive(Debug)]
struct Server;

impl OAuth2Provider for Server {
    fn introspect<'a>(
        &'a self,
        _token: &'a str,
        _services: &'a Services,
    ) -> BoxFuture<'a, Result<Introspection, ResourceError>> {
        let error = ResourceError::Unexpected("not asked for".to_owned());
        Box::pin(std::future::ready(Err(error)))
    }

    fn user_info<'a>(
        &'a self,
        token: &'a str,
        _services: &'a Services,
    ) -> BoxFuture<'a, Result<Value, ResourceError>> {
        let answer = match token {
            "good" => Ok(json!({"sub": "alice"})),
            "down" => Err(ResourceError::Unavailable("timeout".to_owned())),
            _ => Err(ResourceError::Unexpected("status 401".to_owned())),
        };
        Box::pin(std::future::ready(answer))
    }
}

fn with(authorization: &str) -> Exchange {
    let mut exchange = exchange();
    let mut resources = Resources::default();
    resources.insert("identity", Resource::OAuth2(Arc::new(Server)));
    let mut api = (*exchange.api).clone();
    api.resources = Arc::new(resources);
    exchange.api = Arc::new(api);
    let headers = &mut exchange.request.headers;
    if !authorization.is_empty() {
        headers.insert(AUTHORIZATION, authorization.parse().unwrap());
    }
    exchange
}

#[test]
fn the_example_of_the_readme_runs() {
    let mut exchange = with("Bearer good");
    let configuration = example(include_str!("README.md"));
    assert!(run(NAME, &configuration, Phase::Request, &mut exchange).is_continue());
    let attribute = |name| exchange.attribute(name).to_text().unwrap().to_string();
    assert_eq!(attribute("openid.userinfo.payload"), r#"{"sub":"alice"}"#);
    assert_eq!(attribute("oauth.access_token"), "good");
}

#[test]
fn the_payload_is_kept_only_if_asked_for() {
    let configuration = json!({"oauthResource": "{('identity')}"});
    let mut exchange = with("bearer good");
    assert!(run(NAME, &configuration, Phase::Request, &mut exchange).is_continue());
    assert!(exchange.attribute("openid.userinfo.payload").is_null());
}

#[test]
fn the_client_is_told_what_is_wrong() {
    for (authorization, resource, status, has_challenge) in [
        ("", "identity", 401, true),
        ("Basic YTpi", "identity", 401, true),
        ("Bearer", "identity", 401, true),
        ("Bearer bad", "identity", 401, true),
        ("Bearer down", "identity", 503, true),
        ("Bearer good", "other", 401, false),
    ] {
        let configuration = json!({"oauthResource": resource});
        let mut exchange = with(authorization);
        let failure = failure(run(NAME, &configuration, Phase::Request, &mut exchange));
        assert_eq!(failure.status, status, "{authorization} {resource}");
        let challenge = failure
            .headers
            .iter()
            .find(|(name, _)| name == WWW_AUTHENTICATE);
        assert_eq!(challenge.is_some(), has_challenge, "{authorization}");
    }
}

#[test]
fn a_resource_must_be_named() {
    assert_eq!(refusal(NAME, &json!({})).path, "oauthResource");
    assert_eq!(
        refusal(NAME, &json!({"oauthResource": "{#a +}"})).path,
        "oauthResource"
    );
}
