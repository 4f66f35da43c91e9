//! What is kept, for whom and how long, and what clients may ask.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use proptest::prelude::*;
use serde_json::{Value, json};
use tidegate_policy::{Exchange, Phase, SubscriptionFacts};

use super::freshness::{Freshness, freshness};
use super::stored::{self, BODY_BYTES_MAX};
use crate::fakes::{Answer, FakeCache, FakeEndpoint};
use crate::registry::find;
use crate::testing::{example, exchange, failure, refusal, run, services};

fn with_cache(cache: &Arc<FakeCache>) -> Exchange {
    let mut exchange = exchange();
    cache.install("responses", &mut exchange);
    exchange
}

/// Runs the step and what it puts around the endpoint; gives the number of calls.
fn pass(configuration: &Value, exchange: &mut Exchange, answer: Answer) -> usize {
    assert!(run("cache", configuration, Phase::Request, exchange).is_continue());
    let mut endpoint = FakeEndpoint::new([answer]);
    if exchange.interceptors.is_empty() {
        return 1;
    }
    endpoint.around(exchange, &services()).unwrap();
    endpoint.calls
}

fn simple() -> Value {
    json!({"cacheName": "responses"})
}

const OK: Answer = Answer::Response(200, &[("x-from", "endpoint")], "hello");

#[test]
fn the_example_of_the_readme_answers_the_second_request_from_the_cache() {
    let cache = Arc::<FakeCache>::default();
    let configuration = example(include_str!("README.md"));
    assert_eq!(pass(&configuration, &mut with_cache(&cache), OK), 1);
    let mut second = with_cache(&cache);
    second
        .response
        .headers
        .insert("x-own", HeaderValue::from_static("step"));
    assert_eq!(pass(&configuration, &mut second, OK), 0);
    assert_eq!(second.response.status, 200);
    assert_eq!(second.response.headers["x-from"], "endpoint");
    assert_eq!(second.response.headers["x-own"], "step");
    assert_eq!(second.response.content.bytes().unwrap(), "hello");
    let entries = cache.entries.lock().unwrap();
    let (key, (_, time_to_live)) = entries.first_key_value().unwrap();
    assert_eq!(key, "shop__GET_/shop/items?page=2_acme");
    assert_eq!(*time_to_live, Some(Duration::from_secs(60)));
}

#[test]
fn headers_that_request_steps_set_are_not_kept() {
    let cache = Arc::<FakeCache>::default();
    let mut first = with_cache(&cache);
    let limit = HeaderValue::from_static("9");
    first
        .response
        .headers
        .insert("x-rate-limit-remaining", limit);
    assert_eq!(pass(&simple(), &mut first, OK), 1);
    assert_eq!(first.response.headers["x-rate-limit-remaining"], "9");
    assert_eq!(first.response.headers["x-from"], "endpoint");
    let mut second = with_cache(&cache);
    assert_eq!(pass(&simple(), &mut second, OK), 0);
    assert!(
        !second
            .response
            .headers
            .contains_key("x-rate-limit-remaining")
    );
}

#[test]
fn clients_may_bypass_or_refresh_and_the_endpoint_never_sees_it() {
    let cache = Arc::<FakeCache>::default();
    assert_eq!(pass(&simple(), &mut with_cache(&cache), OK), 1);
    for (action, is_kept) in [("BY_PASS", false), ("refresh", true)] {
        let fresh = Answer::Response(200, &[], action);
        let mut by_header = with_cache(&cache);
        by_header
            .request
            .headers
            .insert("x-gravitee-cache", HeaderValue::from_static(action));
        assert_eq!(pass(&simple(), &mut by_header, fresh.clone()), 1);
        assert!(!by_header.request.headers.contains_key("x-gravitee-cache"));
        let mut by_query = with_cache(&cache);
        let value = Some(action.into());
        by_query.request.query.append("cache".into(), value);
        assert_eq!(pass(&simple(), &mut by_query, fresh), 1);
        assert_eq!(by_query.request.query.to_text().as_deref(), Some("page=2"));
        let mut later = with_cache(&cache);
        assert_eq!(pass(&simple(), &mut later, OK), 0);
        let body = later.response.content.bytes().unwrap();
        assert_eq!(body == action, is_kept);
    }
}

#[test]
fn applications_methods_and_queries_are_kept_apart() {
    let cache = Arc::<FakeCache>::default();
    let of = |application: &str| {
        let mut exchange = with_cache(&cache);
        exchange.subscription = Some(Arc::new(SubscriptionFacts {
            id: "s".into(),
            application: application.into(),
            client_id: None,
            metadata: std::collections::BTreeMap::default(),
        }));
        exchange
    };
    assert_eq!(pass(&simple(), &mut of("a"), OK), 1);
    assert_eq!(pass(&simple(), &mut of("a"), OK), 0);
    assert_eq!(pass(&simple(), &mut of("b"), OK), 1);
    let mut head = of("a");
    head.request.method = Method::HEAD;
    assert_eq!(pass(&simple(), &mut head, OK), 1);
    let mut other = of("a");
    other.request.query.append("more".into(), None);
    assert_eq!(pass(&simple(), &mut other, OK), 1);
    let shared = json!({"cacheName": "responses", "scope": "API"});
    assert_eq!(pass(&shared, &mut of("a"), OK), 1);
    assert_eq!(pass(&shared, &mut of("b"), OK), 0);
    let mut post = of("a");
    post.request.method = Method::POST;
    assert_eq!(pass(&simple(), &mut post, OK), 1);
    assert!(post.interceptors.is_empty());
}

#[test]
fn a_response_is_kept_if_its_status_or_the_condition_says_so() {
    let teapot = "{#upstreamResponse.status == 418 and #upstreamResponse.content == 'hello'}";
    for (condition, status, is_kept) in [
        (Value::Null, 201, true),
        (Value::Null, 404, false),
        (json!(teapot), 418, true),
        (json!(teapot), 200, false),
        (
            json!("{#upstreamResponse.headers['X-From'][0] == 'endpoint'}"),
            404,
            true,
        ),
    ] {
        let cache = Arc::<FakeCache>::default();
        let configuration = json!({"cacheName": "responses", "responseCondition": condition});
        let answer = Answer::Response(status, &[("x-from", "endpoint")], "hello");
        pass(&configuration, &mut with_cache(&cache), answer);
        let is_found = !cache.entries.lock().unwrap().is_empty();
        assert_eq!(is_found, is_kept, "{configuration} {status}");
    }
}

#[test]
fn headers_of_the_response_may_shorten_the_time_or_forbid_keeping() {
    let now_ms = 784_111_777_000;
    for (name, value, expected) in [
        ("x", "", Freshness::Unsaid),
        (
            "cache-control",
            "public, max-age=30",
            Freshness::For(Duration::from_secs(30)),
        ),
        (
            "cache-control",
            "max-age=30, s-maxage=\"5\"",
            Freshness::For(Duration::from_secs(5)),
        ),
        ("cache-control", "max-age=0", Freshness::Never),
        ("cache-control", "No-Store", Freshness::Never),
        ("cache-control", "private, max-age=3", Freshness::Never),
        ("vary", "*", Freshness::Never),
        (
            "expires",
            "Sun, 06 Nov 1994 08:49:47 GMT",
            Freshness::For(Duration::from_secs(10)),
        ),
        ("expires", "Sun, 06 Nov 1994 08:49:37 GMT", Freshness::Never),
        ("expires", "0", Freshness::Never),
    ] {
        let mut headers = HeaderMap::new();
        headers.insert(name, HeaderValue::from_static(value));
        assert_eq!(freshness(&headers, now_ms), expected, "{name}: {value}");
    }
}

#[test]
fn a_cache_that_is_down_is_a_cache_without_the_response() {
    let down = Arc::new(FakeCache {
        is_down: true,
        ..FakeCache::default()
    });
    assert_eq!(pass(&simple(), &mut with_cache(&down), OK), 1);
}

#[test]
fn a_missing_cache_is_a_failure() {
    let outcome = run("cache", &simple(), Phase::Request, &mut exchange());
    assert_eq!(failure(outcome).status, 500);
}

#[test]
fn long_bodies_are_not_kept() {
    let body = vec![0; BODY_BYTES_MAX + 1];
    assert!(stored::encode(StatusCode::OK, &HeaderMap::new(), &body).is_none());
    let long: &'static [(&str, &str)] = &[("content-length", "99999999")];
    let cache = Arc::<FakeCache>::default();
    let answer = Answer::Response(200, long, "");
    assert_eq!(pass(&simple(), &mut with_cache(&cache), answer), 1);
    assert!(cache.entries.lock().unwrap().is_empty());
}

#[test]
fn fields_of_the_connection_are_not_kept() {
    let mut headers = HeaderMap::new();
    headers.append("x", HeaderValue::from_static("1"));
    headers.append("x", HeaderValue::from_static("2"));
    let expected = headers.clone();
    headers.insert("connection", HeaderValue::from_static("x-hop"));
    headers.insert("transfer-encoding", HeaderValue::from_static("chunked"));
    let bytes = stored::encode(StatusCode::ACCEPTED, &headers, b"body").unwrap();
    let found = stored::decode(&bytes).unwrap();
    assert_eq!(
        (found.status, found.headers),
        (StatusCode::ACCEPTED, expected)
    );
    assert_eq!(found.body, "body");
}

proptest! {
    #[test]
    fn bytes_of_something_else_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let _ = stored::decode(&Bytes::from(bytes));
    }
}

#[test]
fn wrong_configuration_is_refused_with_its_place() {
    for (configuration, path) in [
        (
            json!({"cacheName": "c", "methods": ["GET", "a b"]}),
            "methods[1]",
        ),
        (json!({"cacheName": "c", "scope": "PLAN"}), "scope"),
        (json!({"cacheName": "c", "key": "{#a +}"}), "key"),
        (
            json!({"cacheName": "c", "responseCondition": "{#a +}"}),
            "responseCondition",
        ),
    ] {
        assert_eq!(refusal("cache", &configuration).path, path);
    }
}

#[test]
fn a_step_without_the_name_of_a_cache_is_kept_and_not_deployed() {
    for configuration in [
        json!({}),
        json!({"cacheName": null}),
        json!({"cacheName": " "}),
    ] {
        let reason = find("cache").unwrap().undeployable(&configuration).unwrap();
        assert_eq!(reason.path, "cacheName", "{configuration}");
    }
    let named = json!({"cacheName": "responses"});
    assert_eq!(find("cache").unwrap().undeployable(&named), None);
}
