//! What is hidden in logs, and that what is sent stays.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Value, json};
use tidegate_policy::{LogMask, Phase};

use crate::testing::{example, exchange, refusal, run};

const NAME: &str = "policy-data-logging-masking";

fn mask(configuration: &Value) -> Arc<dyn LogMask> {
    let mut exchange = exchange();
    exchange.request.content.set(Bytes::from_static(b"secret"));
    assert!(run(NAME, configuration, Phase::Request, &mut exchange).is_continue());
    assert_eq!(exchange.request.content.bytes().unwrap(), "secret");
    assert_eq!(exchange.request.headers["x-tenant"], "acme");
    exchange.reporting_mut().masks.remove(0)
}

fn body(rule: &Value, body: &str) -> String {
    mask(&json!({"bodyRules": [rule]}))
        .body(None, body)
        .into_owned()
}

#[test]
fn the_example_of_the_readme_runs() {
    let mask = mask(&example(include_str!("README.md")));
    assert_eq!(mask.header("authorization", "Bearer x"), "--------");
    assert_eq!(mask.header("X-Tenant", "acme"), "acme");
    assert_eq!(
        mask.body(
            None,
            r#"{"user":{"password":"abc"},"mail":"a@b.example, x"}"#
        ),
        r#"{"user":{"password":"***"},"mail":"***********, x"}"#
    );
}

#[test]
fn paths_lead_to_values_of_json() {
    for (path, expected) in [
        ("$.a", r#"{"a":"*","b":[{"a":1,"c":"xy"},{"a":null}]}"#),
        (
            "$['b'][0].c",
            r#"{"a":7,"b":[{"a":1,"c":"**"},{"a":null}]}"#,
        ),
        ("$.b[*].a", r#"{"a":7,"b":[{"a":"*","c":"xy"},{"a":null}]}"#),
        ("$..a", r#"{"a":"*","b":[{"a":"*","c":"xy"},{"a":null}]}"#),
        ("$.b[0].*", r#"{"a":7,"b":[{"a":"*","c":"**"},{"a":null}]}"#),
        ("$.none.x", r#"{"a":7,"b":[{"a":1,"c":"xy"},{"a":null}]}"#),
        ("$", r#"{"a":"*","b":[{"a":"*","c":"**"},{"a":null}]}"#),
    ] {
        let document = r#"{"a":7,"b":[{"a":1,"c":"xy"},{"a":null}]}"#;
        assert_eq!(body(&json!({"path": path}), document), expected, "{path}");
    }
}

#[test]
fn kinds_are_found_in_any_text() {
    for (kind, text, expected) in [
        (
            "CREDIT_CARD",
            "card 4111 1111 1111 1111.",
            "card ###################.",
        ),
        ("CREDIT_CARD", "order 12345", "order 12345"),
        ("EMAIL", "<a.b@c.example>", "<#############>"),
        (
            "IP",
            "from 10.0.0.1 and fe80::1",
            "from ######## and #######",
        ),
        (
            "URI",
            "see https://a.example/x?y=1 there",
            "see ####################### there",
        ),
    ] {
        let rule = json!({"type": kind, "replacer": "#"});
        assert_eq!(body(&rule, text), expected, "{kind}");
    }
    assert_eq!(body(&json!({"regex": "[0-9]+"}), "pin 1234"), "pin ****");
    assert_eq!(body(&json!({}), "all"), "***");
}

#[test]
fn a_body_that_a_path_does_not_fit_is_hidden_whole() {
    let rule = json!({"path": "$.password"});
    assert_eq!(body(&rule, "password=abc"), "************");
    assert_eq!(body(&rule, ""), "");
}

#[test]
fn wrong_configuration_is_refused_with_its_place() {
    for (configuration, path) in [
        (
            json!({"headerRules": [{"path": "a b"}]}),
            "headerRules[0].path",
        ),
        (
            json!({"headerRules": [{"path": "a", "replacer": "x".repeat(17)}]}),
            "headerRules[0].replacer",
        ),
        (json!({"bodyRules": [{"path": "a.b"}]}), "bodyRules[0].path"),
        (
            json!({"bodyRules": [{"path": "$..a..b"}]}),
            "bodyRules[0].path",
        ),
        (
            json!({"bodyRules": [{"path": "$.a["}]}),
            "bodyRules[0].path",
        ),
        (json!({"bodyRules": [{"regex": "("}]}), "bodyRules[0].regex"),
        (
            json!({"bodyRules": [{"type": "NAME"}]}),
            "bodyRules[0].type",
        ),
    ] {
        assert_eq!(refusal(NAME, &configuration).path, path, "{configuration}");
    }
}
