//! Credentials, providers and what is remembered of a user.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use serde_json::{Value, json};
use tidegate_policy::{
    ApiFacts, AuthenticationProvider, BoxFuture, Exchange, Identity, Outcome, Phase, Resource,
    ResourceError, Resources, Services,
};

use crate::testing::{example, exchange, failure, refusal, run};

const NAME: &str = "policy-basic-authentication";

/// Knows one user, or is not there.
#[derive(Debug)]
struct Directory(Option<&'static str>);

impl AuthenticationProvider for Directory {
    fn authenticate<'a>(
        &'a self,
        user: &'a str,
        password: &'a str,
        _services: &'a Services,
    ) -> BoxFuture<'a, Result<Option<Identity>, ResourceError>> {
        let answer = match self.0 {
            None => Err(ResourceError::Unavailable("down".to_owned())),
            Some(known) => Ok((user == known && password == "a:b").then(|| Identity {
                user: user.to_owned(),
                attributes: BTreeMap::from([("roles".to_owned(), "admin".into())]),
            })),
        };
        Box::pin(std::future::ready(answer))
    }
}

fn authenticated(configuration: &Value, authorization: Option<&str>) -> (Outcome, Exchange) {
    let mut exchange = exchange();
    let mut resources = Resources::default();
    for (name, user) in [
        ("staff", Some("ann")),
        ("broken", None),
        ("partners", Some("bob")),
    ] {
        resources.insert(name, Resource::Authentication(Arc::new(Directory(user))));
    }
    exchange.api = Arc::new(ApiFacts {
        resources: Arc::new(resources),
        ..(*exchange.api).clone()
    });
    if let Some(value) = authorization {
        exchange
            .request
            .headers
            .insert(AUTHORIZATION, value.parse().unwrap());
    }
    let outcome = run(NAME, configuration, Phase::Request, &mut exchange);
    (outcome, exchange)
}

fn basic(text: &str) -> String {
    format!("Basic {}", STANDARD.encode(text))
}

#[test]
fn the_example_of_the_readme_asks_every_provider_and_remembers_the_user() {
    let configuration = example(include_str!("README.md"));
    for user in ["ann", "bob"] {
        let (outcome, exchange) =
            authenticated(&configuration, Some(&basic(&format!("{user}:a:b"))));
        assert!(outcome.is_continue());
        assert_eq!(exchange.attribute("user").as_text(), Some(user));
        assert_eq!(exchange.attribute("user.roles").as_text(), Some("admin"));
    }
}

#[test]
fn everything_else_is_401_with_the_challenge() {
    let configuration = json!({
        "authenticationProviders": ["gone", "broken", "staff"], "realm": "a \"b\""
    });
    for authorization in [
        None,
        Some(basic("ann:wrong")),
        Some(basic("bob:a:b")),
        Some(basic("ann")),
        Some(basic(":a:b")),
        Some("Basic ***".to_owned()),
        Some("Bearer x".to_owned()),
        Some("Basic".to_owned()),
    ] {
        let (outcome, exchange) = authenticated(&configuration, authorization.as_deref());
        let failure = failure(outcome);
        assert_eq!(failure.status, 401, "{authorization:?}");
        assert_eq!(failure.headers[0].0, WWW_AUTHENTICATE);
        assert_eq!(failure.headers[0].1, "Basic realm=\"a \\\"b\\\"\"");
        assert!(exchange.attribute("user").is_null());
    }
    let (outcome, _) = authenticated(&configuration, Some(&basic("ann:a:b")));
    assert!(outcome.is_continue(), "providers that fail are passed over");
}

#[test]
fn wrong_configuration_is_refused_with_its_place() {
    for (configuration, path) in [
        (
            json!({"authenticationProviders": []}),
            "authenticationProviders",
        ),
        (
            json!({"authenticationProviders": ["a"], "realm": "a\nb"}),
            "realm",
        ),
    ] {
        assert_eq!(refusal(NAME, &configuration).path, path);
    }
}
