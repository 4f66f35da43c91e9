//! Where keys are looked for, and dates of subscriptions.

use std::sync::Arc;

use http::{Method, uri::PathAndQuery};
use serde_json::json;
use tidegate_expression::Text;
use tidegate_model::{ApiId, ApplicationId, KeyObject, PlanId, SubscriptionId, SubscriptionObject};
use tidegate_policies::api_key::ApiKeyConfig;
use tidegate_policy::RequestFacts;

use super::{ApiKeyHasher, ApiSubscriptions, KeyPlace};

fn request(target: &'static str, header: Option<(&'static str, &'static str)>) -> RequestFacts {
    let target = PathAndQuery::from_static(target);
    let mut request = RequestFacts::new(Method::GET, target, Arc::from("/"));
    if let Some((name, value)) = header {
        request.headers.insert(name, value.parse().unwrap());
    }
    request
}

fn place(configuration: &serde_json::Value) -> KeyPlace {
    KeyPlace::from_config(&ApiKeyConfig::parse(configuration).unwrap()).unwrap()
}

#[test]
fn the_header_comes_before_the_query_and_a_custom_header_stands_alone() {
    let usual = place(&json!({}));
    let custom = place(&json!({"enableCustomApiKeyHeader": true, "apiKeyHeader": "X-Key"}));
    let header = Some(("x-gravitee-api-key", "h"));
    for (place, request, expected) in [
        (&usual, request("/", None), None),
        (&usual, request("/?api-key=q", header), Some("h")),
        (&usual, request("/?a&api-key=q&api-key=r", None), Some("q")),
        (&usual, request("/?api-key", None), Some("")),
        (&custom, request("/?api-key=q", header), None),
        (&custom, request("/", Some(("x-key", "c"))), Some("c")),
    ] {
        assert_eq!(
            place.find(&request).as_deref(),
            expected,
            "{:?}",
            request.headers
        );
    }
}

#[test]
fn the_key_is_removed_unless_it_is_propagated() {
    let mut taken = request("/?a=1&api-key=q&b", Some(("x-gravitee-api-key", "h")));
    place(&json!({})).clear(&mut taken);
    assert!(taken.headers.is_empty());
    assert_eq!(taken.query.to_text().as_deref(), Some("a=1&b"));
    let mut kept = request("/?api-key=q", Some(("x-gravitee-api-key", "h")));
    place(&json!({"propagateApiKey": true})).clear(&mut kept);
    assert_eq!(kept.headers.len(), 1);
    assert_eq!(kept.query.to_text().as_deref(), Some("api-key=q"));
}

#[test]
fn a_subscription_counts_from_its_start_until_before_its_end() {
    let hasher = ApiKeyHasher::new(b"pepper");
    let hash = hasher.hash(b"key").unwrap();
    let text = hash.iter().map(|byte| format!("{byte:02X}")).collect();
    let (subscriptions, refused) = ApiSubscriptions::new(vec![Arc::new(SubscriptionObject {
        id: SubscriptionId::parse("s").unwrap(),
        api: ApiId::parse("a").unwrap(),
        plan: PlanId::parse("p").unwrap(),
        application: ApplicationId::parse("app").unwrap(),
        client_id: Some("c".to_owned()),
        client_certificate: Some("0a".repeat(32)),
        starting_ms: Some(10),
        ending_ms: Some(20),
        metadata: std::collections::BTreeMap::new(),
        keys: vec![KeyObject {
            id: "k".to_owned(),
            hash: text,
            expires_ms: None,
        }],
    })]);
    assert_eq!(refused, []);
    let plan = Text::constant("p");
    for (now_ms, is_found) in [(9, false), (10, true), (19, true), (20, false)] {
        let found = subscriptions.of_key(&hash, &plan, now_ms);
        assert_eq!(found.is_some(), is_found, "{now_ms}");
        let found = subscriptions.of_client("c", &plan, now_ms);
        assert_eq!(found.is_some(), is_found, "{now_ms}");
        let found = subscriptions.of_certificate(&[10; 32], &plan, now_ms);
        assert_eq!(found.is_some(), is_found, "{now_ms}");
    }
    assert!(
        subscriptions
            .of_key(&hash, &Text::constant("other"), 15)
            .is_none()
    );
    assert!(subscriptions.of_key(&[0; 32], &plan, 15).is_none());
}
