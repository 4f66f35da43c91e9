//! Paths and methods, and ways around them that are none.

use std::sync::Arc;

use http::Method;
use serde_json::{Value, json};
use tidegate_policy::{Phase, RequestPath};

use crate::testing::{example, exchange, failure, refusal, run};

const NAME: &str = "resource-filtering";

fn status(configuration: &Value, method: &str, target: &'static str) -> u16 {
    let mut exchange = exchange();
    exchange.request.method = Method::from_bytes(method.as_bytes()).unwrap();
    exchange.request.path = RequestPath::new(
        http::uri::PathAndQuery::from_static(target),
        Arc::from("/shop/"),
    );
    let outcome = run(NAME, configuration, Phase::Request, &mut exchange);
    if outcome.is_continue() {
        return 200;
    }
    let failure = failure(outcome);
    let key = match failure.status.as_u16() {
        405 => "RESOURCE_FILTERING_METHOD_NOT_ALLOWED",
        _ => "RESOURCE_FILTERING_FORBIDDEN",
    };
    assert_eq!(failure.key.as_deref(), Some(key));
    assert_eq!(
        failure.parameters[0].1.as_text(),
        Some(exchange.request.path.raw())
    );
    failure.status.as_u16()
}

#[test]
fn the_example_of_the_readme_runs() {
    let configuration = example(include_str!("README.md"));
    for (method, target, expected) in [
        ("GET", "/shop/items/7", 200),
        ("DELETE", "/shop/items/7", 405),
        ("GET", "/shop/orders", 403),
        ("GET", "/shop/items/internal/7", 403),
    ] {
        assert_eq!(status(&configuration, method, target), expected, "{target}");
    }
}

#[test]
fn patterns_hold_with_and_without_the_context_path() {
    for pattern in ["/items", "items", "/shop/items", "/shop/*"] {
        let configuration = json!({"whitelist": [{"pattern": pattern}]});
        assert_eq!(
            status(&configuration, "GET", "/shop/items"),
            200,
            "{pattern}"
        );
        assert_eq!(
            status(&configuration, "GET", "/shop/x/items"),
            403,
            "{pattern}"
        );
    }
}

#[test]
fn methods_narrow_a_rule_and_decide_between_403_and_405() {
    let configuration = json!({"blacklist": [
        {"pattern": "/a", "methods": ["post", "OTHER"]},
        {"pattern": "/b"}
    ]});
    for (method, target, expected) in [
        ("GET", "/shop/a", 200),
        ("POST", "/shop/a", 405),
        ("PURGE", "/shop/a", 405),
        ("POST", "/shop/b", 403),
        ("GET", "/shop/c", 200),
    ] {
        assert_eq!(
            status(&configuration, method, target),
            expected,
            "{method} {target}"
        );
    }
}

#[test]
fn encoding_and_dot_segments_are_no_way_around() {
    let denied = json!({"blacklist": [{"pattern": "/admin/**"}]});
    let allowed = json!({"whitelist": [{"pattern": "/public/**"}]});
    for target in [
        "/shop/%61dmin",
        "/shop/public/../admin",
        "/shop/public/%2e%2e/admin/x",
        "/shop//admin",
    ] {
        assert_eq!(status(&denied, "GET", target), 403, "{target}");
        assert_eq!(status(&allowed, "GET", target), 403, "{target}");
    }
    assert_eq!(status(&allowed, "GET", "/shop/public/a%20b"), 200);
}

#[test]
fn wrong_configuration_is_refused_with_its_place() {
    for (configuration, path) in [
        (
            json!({"whitelist": [{"pattern": "/a", "methods": ["GET", "a b"]}]}),
            "whitelist[0].methods[1]",
        ),
        (
            json!({"blacklist": [{"pattern": 1}]}),
            "blacklist[0].pattern",
        ),
        (
            json!({"blacklist": [{"pattern": "x".repeat(9000)}]}),
            "blacklist[0].pattern",
        ),
    ] {
        assert_eq!(refusal(NAME, &configuration).path, path);
    }
}
