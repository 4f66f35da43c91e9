//! What scripts see, what they change, and what stops them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::json;
use tidegate_expression::Ambient;
use tidegate_policy::{Exchange, Outcome, Phase};

use crate::testing::{example, exchange, failure, refusal, run, run_with, services};

fn on_request(script: &str, exchange: &mut Exchange) -> Outcome {
    let configuration = json!({"onRequestScript": script});
    run("javascript", &configuration, Phase::Request, exchange)
}

#[test]
fn the_example_of_the_readme_changes_headers_attributes_and_body() {
    let configuration = example(include_str!("README.md"));
    let mut exchange = exchange();
    exchange.request.content.set(r#"{"a":1}"#.into());
    let outcome = run("javascript", &configuration, Phase::Request, &mut exchange);
    assert!(outcome.is_continue(), "{outcome:?}");
    assert_eq!(exchange.request.headers["x-seen"], "yes");
    assert_eq!(exchange.attribute("page").to_i64(), Some(2));
    let body = exchange.request.content.bytes().unwrap();
    assert_eq!(body, r#"{"a":1,"tenant":"acme"}"#);
}

#[test]
fn a_result_that_failed_ends_the_exchange() {
    let configuration = example(include_str!("README.md"));
    let mut exchange = exchange();
    exchange.request.headers.clear();
    let failure = failure(run(
        "javascript",
        &configuration,
        Phase::Request,
        &mut exchange,
    ));
    assert_eq!(failure.status, 400);
    assert_eq!(failure.key.as_deref(), Some("NO_TENANT"));
    assert_eq!(failure.message.as_deref(), Some("Who are you?"));
}

#[test]
fn scripts_see_the_exchange() {
    for (script, expected) in [
        ("request.method", "GET"),
        ("request.path", "/shop/items"),
        ("request.pathInfo", "/items"),
        ("request.headers.get('x-TENANT')", "acme"),
        ("request.headers.get('none') === null", "true"),
        ("request.parameters.get('page')[0]", "2"),
        ("context.attributes['set']", "1"),
        ("context.attributes.api", "shop"),
        ("context.attributes['gravitee.attribute.api.name']", "Shop"),
        ("context.attributes.get('none')", "null"),
        ("request.content === null", "true"),
        (
            "typeof require + typeof fetch + typeof std",
            "undefinedundefinedundefined",
        ),
    ] {
        let mut exchange = exchange();
        exchange.attributes.set(&"set".into(), 1.into());
        let script = format!("request.headers.set('x-out', String({script}))");
        let outcome = on_request(&script, &mut exchange);
        assert!(outcome.is_continue(), "{script}: {outcome:?}");
        assert_eq!(exchange.request.headers["x-out"], expected, "{script}");
    }
}

#[test]
fn attributes_keep_their_types_and_can_be_removed() {
    let mut exchange = exchange();
    exchange.attributes.set(&"old".into(), "x".into());
    let script = "context.attributes.list = [1, 'a', {b: true}]; context.removeAttribute('old')";
    assert!(on_request(script, &mut exchange).is_continue());
    let list = exchange.attribute("list").to_text().unwrap();
    assert_eq!(list.as_str(), "1,a,{b=true}");
    assert!(exchange.attribute("old").is_null());
}

#[test]
fn responses_are_changed_in_their_phase() {
    let configuration = json!({
        "onRequestScript": "throw 'not here'",
        "onResponseScript": "response.status = 418; response.headers.add('X-A', '1')",
        "onResponseContentScript": "response.content.toUpperCase()"});
    let mut exchange = exchange();
    exchange.response.content.set("tea".into());
    let outcome = run("javascript", &configuration, Phase::Response, &mut exchange);
    assert!(outcome.is_continue(), "{outcome:?}");
    assert_eq!(exchange.response.status, 418);
    assert_eq!(exchange.response.headers["x-a"], "1");
    assert_eq!(exchange.response.content.bytes().unwrap(), "TEA");
}

#[test]
fn nothing_survives_a_run() {
    let script = "if (globalThis.seen) throw 'seen'; seen = true; Object.prototype.x = 1";
    for _ in 0..2 {
        assert!(on_request(script, &mut exchange()).is_continue());
    }
}

/// A clock that moves a millisecond with each look at it.
#[derive(Debug, Default)]
struct Ticking(AtomicU64);

impl Ambient for Ticking {
    fn now_ms(&self) -> u64 {
        0
    }

    fn nanos(&self) -> u64 {
        self.0.fetch_add(1_000_000, Ordering::Relaxed)
    }

    fn random(&self) -> u64 {
        0
    }
}

#[test]
fn scripts_that_throw_or_take_too_much_fail_the_request() {
    let mut services = services();
    services.ambient = Arc::new(Ticking::default());
    for script in [
        "throw new Error('no')",
        "nothing.at.all",
        "for (;;) {}",
        "try { for (;;) {} } catch (e) {} for (;;) {}",
        "'x'.repeat(1e9)",
        "var a = []; for (;;) a.push('xxxxxxxxxxxxxxxxxxxxxxxxxx' + a.length)",
        "function f() { return f() + 1 } f()",
        "request.headers.set('a b', 'c')",
        "request.headers.set('a', 'b\\r\\nc: d')",
        "response.status = 99",
    ] {
        let configuration = json!({"onRequestScript": script});
        let outcome = run_with(
            "javascript",
            &configuration,
            Phase::Request,
            &mut exchange(),
            &services,
        );
        let failure = failure(outcome);
        assert_eq!(failure.status, 500, "{script}");
        assert_eq!(failure.key.as_deref(), Some("JAVASCRIPT_EXECUTION_FAILURE"));
    }
}

#[test]
fn scripts_that_cannot_be_parsed_are_refused_with_their_place() {
    for (member, script) in [
        ("onRequestScript", "if ("),
        ("onResponseContentScript", "}); throw 1; (function () {"),
    ] {
        let configuration = json!({member: script});
        assert_eq!(refusal("javascript", &configuration).path, member);
    }
}
