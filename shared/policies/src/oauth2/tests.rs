//! Answers of authorisation servers and what follows from them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use std::{collections::BTreeMap, sync::Mutex};

use bytes::Bytes;
use futures::executor::block_on;
use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use serde_json::{Value, json};
use tidegate_policy::{
    BoxFuture, Cache, Chain, CompileContext, CompiledStep, Exchange, Failure, Introspection,
    OAuth2Provider, Outcome, Phase, PolicyKind as _, Resource, ResourceError, Resources, Services,
};

use super::{
    INSUFFICIENT_SCOPE, INVALID_RESPONSE, INVALID_TOKEN, MISSING_HEADER, MISSING_SERVER,
    MISSING_TOKEN, OAuth2, SERVER_UNAVAILABLE,
};
use crate::testing::{example, exchange, services};

#[derive(Debug)]
struct Server {
    answer: Result<Introspection, ResourceError>,
    calls: AtomicUsize,
}

impl OAuth2Provider for Server {
    fn introspect<'a>(
        &'a self,
        _token: &'a str,
        _services: &'a Services,
    ) -> BoxFuture<'a, Result<Introspection, ResourceError>> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        Box::pin(std::future::ready(self.answer.clone()))
    }

    fn user_info<'a>(
        &'a self,
        _token: &'a str,
        _services: &'a Services,
    ) -> BoxFuture<'a, Result<Value, ResourceError>> {
        Box::pin(std::future::ready(Ok(Value::Null)))
    }
}

#[derive(Debug, Default)]
struct Kept(Mutex<BTreeMap<String, (Bytes, Option<Duration>)>>);

impl Cache for Kept {
    fn get<'a>(
        &'a self,
        key: &'a str,
        _services: &'a Services,
    ) -> BoxFuture<'a, Result<Option<Bytes>, ResourceError>> {
        let found = self.0.lock().unwrap().get(key).map(|kept| kept.0.clone());
        Box::pin(std::future::ready(Ok(found)))
    }

    fn put<'a>(
        &'a self,
        key: &'a str,
        value: Bytes,
        life: Option<Duration>,
        _services: &'a Services,
    ) -> BoxFuture<'a, Result<(), ResourceError>> {
        self.0.lock().unwrap().insert(key.to_owned(), (value, life));
        Box::pin(std::future::ready(Ok(())))
    }

    fn evict<'a>(
        &'a self,
        _key: &'a str,
        _services: &'a Services,
    ) -> BoxFuture<'a, Result<(), ResourceError>> {
        Box::pin(std::future::ready(Ok(())))
    }
}

fn request(authorization: Option<&str>, resources: Resources) -> Exchange {
    let mut exchange = exchange();
    let mut api = (*exchange.api).clone();
    api.resources = Arc::new(resources);
    exchange.api = Arc::new(api);
    if let Some(value) = authorization {
        let value = value.parse().unwrap();
        exchange.request.headers.insert(AUTHORIZATION, value);
    }
    exchange
}

fn server(answer: Result<Introspection, ResourceError>) -> (Arc<Server>, Resources) {
    let calls = AtomicUsize::new(0);
    let server = Arc::new(Server { answer, calls });
    let mut resources = Resources::default();
    resources.insert("am", Resource::OAuth2(Arc::clone(&server) as _));
    (server, resources)
}

fn active(payload: Value) -> Result<Introspection, ResourceError> {
    Ok(Introspection {
        is_active: true,
        payload,
    })
}

fn run(configuration: &Value, exchange: &mut Exchange) -> Option<Box<Failure>> {
    let ctx = CompileContext {
        phase: Phase::Request,
        environment: "DEFAULT",
        api: "shop",
        files: None,
    };
    let config = serde_json::from_value(configuration.clone()).unwrap();
    let compiled = OAuth2::compile(config, &ctx).unwrap();
    let chain = Chain::new(vec![CompiledStep {
        name: "oauth2".into(),
        policy: compiled.policy,
        condition: None,
        needs: compiled.needs,
    }]);
    match block_on(chain.run(Phase::Request, exchange, &services())) {
        Outcome::Continue => None,
        Outcome::Fail(failure) => Some(failure),
        Outcome::Respond(_) => panic!("answered"),
    }
}

#[test]
fn the_example_of_the_readme_checks_its_scope() {
    let configuration = example(include_str!("README.md"));
    for (scope, is_good) in [("orders:read x", true), ("orders:write", false)] {
        let (_, resources) = server(active(json!({"scope": scope})));
        let failure = run(&configuration, &mut request(Some("Bearer t"), resources));
        assert_eq!(failure.is_none(), is_good, "{scope}");
    }
}

#[test]
fn a_good_token_sets_attributes() {
    let payload = json!({"client_id": "app", "sub": "ann", "scp": ["a", "b"]});
    let (_, resources) = server(active(payload.clone()));
    let mut exchange = request(Some("Bearer t"), resources);
    let configuration = json!({"oauthResource": "{#api.name == 'Shop' ? 'am' : ''}",
        "extractPayload": true, "propagateAuthHeader": false});
    assert_eq!(run(&configuration, &mut exchange), None);
    for (name, expected) in [
        ("oauth.access_token", "t"),
        ("oauth.client_id", "app"),
        ("user", "ann"),
        ("user.roles", "a,b"),
        ("oauth.payload", &payload.to_string()),
    ] {
        let found = exchange.attribute(name).to_text();
        assert_eq!(found.as_deref(), Some(expected), "{name}");
    }
    assert!(!exchange.request.headers.contains_key(AUTHORIZATION));
}

#[test]
fn every_failure_has_its_key_and_challenge() {
    let inactive = Introspection {
        is_active: false,
        payload: Value::Null,
    };
    let down = || Err(ResourceError::Unavailable("down".to_owned()));
    let odd = || Err(ResourceError::Unexpected("odd".to_owned()));
    let good = || active(json!({}));
    for (name, header, answer, status, key) in [
        ("am", None, good(), 401, MISSING_HEADER),
        ("am", Some("Bearer "), good(), 401, MISSING_TOKEN),
        ("am", Some("Bearer t"), Ok(inactive), 401, INVALID_TOKEN),
        ("am", Some("Bearer t"), down(), 503, SERVER_UNAVAILABLE),
        ("am", Some("Bearer t"), odd(), 401, INVALID_RESPONSE),
        ("no", Some("Bearer t"), good(), 401, MISSING_SERVER),
    ] {
        let (_, resources) = server(answer);
        let mut exchange = request(header, resources);
        let failure = run(&json!({"oauthResource": name}), &mut exchange).unwrap();
        assert_eq!(
            (failure.status.as_u16(), failure.key.as_deref()),
            (status, Some(key))
        );
        let challenged = failure
            .headers
            .iter()
            .any(|(name, _)| name == WWW_AUTHENTICATE);
        assert_eq!(challenged, key != MISSING_SERVER, "{key}");
    }
}

#[test]
fn scopes_are_needed_all_or_any() {
    for (payload, required, is_strict, is_good) in [
        (
            json!({"scope": "a b"}),
            json!(["a", "b"]),
            json!(null),
            true,
        ),
        (json!({"scope": "a"}), json!(["a", "b"]), json!(true), false),
        (json!({"scope": "a"}), json!(["a", "b"]), json!(false), true),
        (
            json!({"scope": ["c"]}),
            json!(["a", "b"]),
            json!(false),
            false,
        ),
        (json!({"scp": ["a"]}), json!(["a"]), json!(true), true),
        (json!({}), json!(["a"]), json!(true), false),
        (json!({}), json!([]), json!(false), true),
    ] {
        let (_, resources) = server(active(payload.clone()));
        let configuration = json!({"oauthResource": "am", "checkRequiredScopes": true,
            "requiredScopes": required, "modeStrict": is_strict});
        let failure = run(&configuration, &mut request(Some("Bearer t"), resources));
        let key = failure.map(|failure| failure.key.unwrap().to_string());
        let expected = (!is_good).then_some(INSUFFICIENT_SCOPE);
        assert_eq!(key.as_deref(), expected, "{payload} {configuration}");
    }
}

#[test]
fn answers_are_kept_until_the_token_expires_and_never_under_the_token() {
    let expires = 1_700_000_000 + 30;
    for (payload, is_kept, life) in [
        (json!({"exp": expires}), true, Some(Duration::from_secs(30))),
        (json!({}), true, None),
        (json!({"exp": 1}), false, None),
    ] {
        let (server, mut resources) = server(active(payload.clone()));
        let kept = Arc::new(Kept::default());
        resources.insert("tokens", Resource::Cache(Arc::clone(&kept) as _));
        let configuration = json!({"oauthResource": "am", "oauthCacheResource": "tokens"});
        let mut exchange = request(Some("Bearer secret-token"), resources);
        for _ in 0..2 {
            assert_eq!(run(&configuration, &mut exchange), None);
        }
        let calls = server.calls.load(Ordering::Relaxed);
        assert_eq!(calls, if is_kept { 1 } else { 2 }, "{payload}");
        let kept = kept.0.lock().unwrap();
        assert!(kept.keys().all(|key| !key.contains("secret-token")));
        assert_eq!(kept.values().next().and_then(|kept| kept.1), life);
    }
}
