//! Reading, keeping and forgetting values.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tidegate_policy::{Exchange, Phase};

use crate::fakes::FakeCache;
use crate::testing::{example, exchange, failure, refusal, run};

fn with_cache(cache: &Arc<FakeCache>) -> Exchange {
    let mut exchange = exchange();
    cache.install("tokens", &mut exchange);
    exchange
}

fn filled() -> Arc<FakeCache> {
    let cache = FakeCache::default();
    let entry = ("secret".into(), None);
    cache
        .entries
        .lock()
        .unwrap()
        .insert("token-acme".to_owned(), entry);
    Arc::new(cache)
}

#[test]
fn the_example_of_the_readme_finds_the_value_or_tells_that_it_is_missing() {
    let configuration = example(include_str!("README.md"));
    for (cache, value) in [(filled(), Some("secret")), (Arc::default(), None)] {
        let mut exchange = with_cache(&cache);
        assert!(run("data-cache", &configuration, Phase::Request, &mut exchange).is_continue());
        assert_eq!(exchange.attribute("access-token").as_text(), value);
        let miss = exchange.attribute("gravitee.policy.data-cache.cache-miss");
        assert_eq!(miss.to_bool(), Some(value.is_none()));
    }
}

#[test]
fn a_value_is_kept_as_long_as_configured_unless_an_attribute_says_otherwise() {
    for (ttl, seconds) in [(None, 60), (Some("5"), 5), (Some("soon"), 60)] {
        let cache = Arc::<FakeCache>::default();
        let mut exchange = with_cache(&cache);
        if let Some(ttl) = ttl {
            let name = "gravitee.attributes.policy.cache.ttl".into();
            exchange.attributes.set(&name, ttl.into());
        }
        let configuration = json!({"resource": "tokens", "cacheKey": "k", "timeToLive": "60",
            "defaultOperation": "SET", "value": "{#request.path}"});
        assert!(run("data-cache", &configuration, Phase::Response, &mut exchange).is_continue());
        let entries = cache.entries.lock().unwrap();
        assert_eq!(entries["k"].0, "/shop/items");
        assert_eq!(entries["k"].1, Some(Duration::from_secs(seconds)));
    }
}

#[test]
fn an_attribute_chooses_the_operation_and_eviction_returns_what_it_forgets() {
    let cache = filled();
    let mut exchange = with_cache(&cache);
    let name = "gravitee.attributes.policy.cache.operation".into();
    exchange.attributes.set(&name, "evict".into());
    let configuration = json!({"resource": "tokens", "cacheKey": "token-acme"});
    assert!(run("data-cache", &configuration, Phase::Request, &mut exchange).is_continue());
    let value = exchange.attribute("gravitee.policy.data-cache.value");
    assert_eq!(value.as_text(), Some("secret"));
    assert!(cache.entries.lock().unwrap().is_empty());
}

#[test]
fn a_missing_value_is_not_kept() {
    let cache = Arc::<FakeCache>::default();
    let configuration = json!({"resource": "tokens", "cacheKey": "k", "defaultOperation": "SET"});
    let mut exchange = with_cache(&cache);
    assert!(run("data-cache", &configuration, Phase::Request, &mut exchange).is_continue());
    assert!(cache.entries.lock().unwrap().is_empty());
}

#[test]
fn failures_name_what_is_missing() {
    let down = Arc::new(FakeCache {
        is_down: true,
        ..FakeCache::default()
    });
    for (resource, key, expected) in [
        ("others", "k", Some("NO_CACHE_RESOURCE")),
        ("tokens", "k", Some("NO_CACHE")),
        ("tokens", "{#request.headers['None']}", None),
    ] {
        let configuration = json!({"resource": resource, "cacheKey": key});
        let mut exchange = with_cache(&down);
        let failure = failure(run(
            "data-cache",
            &configuration,
            Phase::Request,
            &mut exchange,
        ));
        assert_eq!(failure.status, 500);
        assert_eq!(failure.key.as_deref(), expected, "{configuration}");
    }
}

#[test]
fn wrong_configuration_is_refused_with_its_place() {
    for (configuration, path) in [
        (json!({"cacheKey": "k"}), "resource"),
        (json!({"resource": "r"}), "cacheKey"),
        (
            json!({"resource": "r", "cacheKey": "k", "defaultOperation": "PUT"}),
            "defaultOperation",
        ),
        (
            json!({"resource": "r", "cacheKey": "k", "value": "{#a +}"}),
            "value",
        ),
    ] {
        assert_eq!(refusal("data-cache", &configuration).path, path);
    }
}
