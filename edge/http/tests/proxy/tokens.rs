//! Plans with signed tokens: whose subscription counts, and that nothing falls back.

use std::{collections::BTreeMap, sync::Arc};

use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use tidegate_edge_http::GatewaySettings;
use tidegate_model::{Secret, SubscriptionObject};

use crate::{
    client::{Answer, get},
    definition::{api, key_plan, keyless_plan, object, snapshot, subscription},
    edge::Edge,
    upstream::Upstream,
};

const SECRET: &str = "a secret of more than thirty-two bytes";

fn token_plan(id: &str, more: &Value) -> Value {
    let mut configuration = json!({"signature": "HMAC_HS256", "resolverParameter": SECRET});
    let members = more.as_object().unwrap().clone();
    configuration.as_object_mut().unwrap().extend(members);
    json!({"id": id, "name": id, "status": "published",
           "security": {"type": "jwt", "configuration": configuration}})
}

fn client(id: &str, plan: &str, client: &str) -> SubscriptionObject {
    SubscriptionObject {
        client_id: Some(client.to_owned()),
        keys: Vec::new(),
        ..subscription(id, "api", plan, "unused")
    }
}

fn token(secret: &str, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let text = format!("{}.{}", part(&json!({"alg": "HS256"})), part(claims));
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let signature = URL_SAFE_NO_PAD.encode(hmac::sign(&key, text.as_bytes()));
    format!("{text}.{signature}")
}

fn with_token(edge: &Edge, token: &str) -> Answer {
    get(
        edge.address,
        "/",
        &[("Authorization", &format!("Bearer {token}"))],
    )
}

fn edge(plans: &Value, subscriptions: Vec<SubscriptionObject>) -> (Edge, Upstream) {
    let upstream = Upstream::echo("a");
    let mut definition = api("api", "/", &[&upstream.url()]);
    definition["plans"] = plans.clone();
    definition["responseTemplates"] = json!({"DEFAULT": {"*/*": {"body": "{#error.key}"}}});
    let edge = Edge::start(&snapshot(1, vec![object(definition)], subscriptions));
    (edge, upstream)
}

#[test]
fn the_client_of_a_token_needs_a_subscription_to_the_plan() {
    let subscriptions = vec![
        client("s1", "gold", "app"),
        client("s2", "other", "stranger"),
    ];
    let (edge, _upstream) = edge(
        &json!([keyless_plan(), token_plan("gold", &json!({}))]),
        subscriptions,
    );
    let good = with_token(&edge, &token(SECRET, &json!({"azp": "app"})));
    assert_eq!(good.status, 200, "{good:?}");
    assert_eq!(good.header("x-gravitee-client-identifier"), Some("s1"));
    assert!(good.body.contains("authorization: Bearer"), "{good:?}");
    for (claims, secret, key) in [
        (
            json!({"azp": "stranger"}),
            SECRET,
            "GATEWAY_PLAN_UNRESOLVABLE",
        ),
        (json!({"sub": "app"}), SECRET, "GATEWAY_PLAN_UNRESOLVABLE"),
        (
            json!({"azp": "app"}),
            "another secret of thirty-two bytes or more",
            "JWT_INVALID_TOKEN",
        ),
        (json!({"azp": "app", "exp": 1}), SECRET, "JWT_INVALID_TOKEN"),
    ] {
        let answer = with_token(&edge, &token(secret, &claims));
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (401, key),
            "{claims}"
        );
    }
    for token in ["", "no.token", "a.b.c"] {
        let answer = with_token(&edge, token);
        assert_eq!(answer.body, "GATEWAY_PLAN_UNRESOLVABLE", "{token:?}");
    }
    assert_eq!(get(edge.address, "/", &[]).status, 200);
}

#[test]
fn a_node_may_take_tokens_without_subscriptions_and_still_tells_clients_apart() {
    let upstream = Upstream::echo("a");
    let mut definition = api("api", "/", &[&upstream.url()]);
    let limit = json!({"rate": {"limit": 1, "periodTime": 60}});
    definition["flows"] = json!([{"name": "f", "enabled": true, "request": [
        {"policy": "rate-limit", "enabled": true, "configuration": limit}]}]);
    definition["plans"] = json!([key_plan("keys"), token_plan("gold", &json!({}))]);
    for (setting, statuses) in [
        ("false", [200, 429, 200, 401]),
        ("true", [401, 401, 401, 401]),
    ] {
        let known = [("api.validateSubscription".to_owned(), setting.to_owned())];
        let settings = GatewaySettings {
            policy_settings: Secret::new(Arc::new(BTreeMap::from(known))),
            ..GatewaySettings::default()
        };
        let configuration = snapshot(1, vec![object(definition.clone())], Vec::new());
        let edge = Edge::with(&configuration, settings, None);
        let other = "another secret of thirty-two bytes or more";
        let found = [
            ("one", SECRET),
            ("one", SECRET),
            ("two", SECRET),
            ("three", other),
        ]
        .map(|(client, secret)| with_token(&edge, &token(secret, &json!({"azp": client}))).status);
        assert_eq!(found, statuses, "{setting}");
        // A key always needs its subscription.
        let answer = get(edge.address, "/", &[("X-Gravitee-Api-Key", "unknown")]);
        assert_eq!(answer.status, 401);
    }
}

#[test]
fn rules_see_claims_before_they_are_checked_and_the_next_plan_gets_its_chance() {
    let rule = |issuer: &str| format!("#context.attributes['jwt'].claims['iss'] == '{issuer}'");
    let mut first = token_plan("first", &json!({}));
    first["selectionRule"] = json!(rule("one"));
    let other = "another secret of thirty-two bytes or more";
    let mut second = token_plan("second", &json!({"resolverParameter": other}));
    second["selectionRule"] = json!(rule("two"));
    let plans = json!([key_plan("keys"), first, second, keyless_plan()]);
    let subscriptions = vec![client("s1", "first", "app"), client("s2", "second", "app")];
    let (edge, _upstream) = edge(&plans, subscriptions);
    for (issuer, secret, subscription) in [("one", SECRET, "s1"), ("two", other, "s2")] {
        let answer = with_token(&edge, &token(secret, &json!({"iss": issuer, "azp": "app"})));
        assert_eq!(
            answer.header("x-gravitee-client-identifier"),
            Some(subscription)
        );
    }
    let crossed = with_token(&edge, &token(SECRET, &json!({"iss": "two", "azp": "app"})));
    assert_eq!(crossed.body, "JWT_INVALID_TOKEN");
    let forgotten = with_token(
        &edge,
        &token(SECRET, &json!({"iss": "three", "azp": "app"})),
    );
    assert_eq!(
        forgotten.status, 200,
        "a token that no rule lets through is forgotten"
    );
}

#[test]
fn dates_of_a_subscription_count_for_tokens_too() {
    for (starting_ms, ending_ms, status) in [
        (Some(1), Some(99_999_999_999_999), 200),
        (Some(99_999_999_999_999), None, 401),
        (None, Some(1), 401),
    ] {
        let known = SubscriptionObject {
            starting_ms,
            ending_ms,
            ..client("s1", "gold", "app")
        };
        let (edge, _upstream) = edge(&json!([token_plan("gold", &json!({}))]), vec![known]);
        let answer = with_token(&edge, &token(SECRET, &json!({"azp": "app"})));
        assert_eq!(answer.status, status);
    }
}
