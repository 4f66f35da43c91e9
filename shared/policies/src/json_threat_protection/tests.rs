//! What is refused, and with which key.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use serde_json::{Value, json};
use tidegate_policy::Phase;

use crate::testing::{example, exchange, failure, run};

fn key(configuration: &Value, content_type: &str, body: &str) -> Option<String> {
    let mut exchange = exchange();
    exchange
        .request
        .headers
        .insert(CONTENT_TYPE, content_type.parse().unwrap());
    exchange.request.content = Bytes::from(body.to_owned()).into();
    let outcome = run(
        "json-threat-protection",
        configuration,
        Phase::Request,
        &mut exchange,
    );
    if outcome.is_continue() {
        return None;
    }
    let failure = failure(outcome);
    assert_eq!(failure.status, 400);
    assert_eq!(failure.message.as_deref(), Some("Bad Request"));
    failure.key.map(|key| key.to_string())
}

#[test]
fn the_example_of_the_readme_runs() {
    let configuration = example(include_str!("README.md"));
    let key = |body| key(&configuration, "application/json", body);
    assert_eq!(key(r#"{"a": [1, {"b": "fine"}]}"#), None);
    assert_eq!(
        key("[[[[[[1]]]]]]").as_deref(),
        Some("JSON_THREAT_MAX_DEPTH")
    );
}

#[test]
fn each_limit_has_its_key() {
    let configuration = json!({"maxEntries": 2, "maxArraySize": 2, "maxDepth": 2,
        "maxNameLength": 3, "maxValueLength": 4});
    for (body, expected) in [
        (r#"{"a": 1, "b": [1, 2]}"#, None),
        ("", None),
        (" \n", None),
        (r#""text""#, None),
        (
            r#"{"a": 1, "b": 2, "c": 3}"#,
            Some("JSON_THREAT_MAX_ENTRIES"),
        ),
        ("[1, 2, 3]", Some("JSON_MAX_ARRAY_SIZE")),
        ("[[[]]]", Some("JSON_THREAT_MAX_DEPTH")),
        (r#"{"abcd": 1}"#, Some("JSON_THREAT_MAX_NAME_LENGTH")),
        (r#"["abcde"]"#, Some("JSON_THREAT_MAX_VALUE_LENGTH")),
        (r#"["\u0061bcde"]"#, Some("JSON_THREAT_MAX_VALUE_LENGTH")),
        (r#"{"a": 1, "a": 2}"#, Some("JSON_THREAT_DETECTED")),
        ("{", Some("JSON_THREAT_DETECTED")),
        ("1 2", Some("JSON_THREAT_DETECTED")),
    ] {
        assert_eq!(
            key(&configuration, "application/json", body).as_deref(),
            expected,
            "{body}"
        );
    }
}

#[test]
fn limits_can_be_lifted_save_for_the_depth_of_the_parser() {
    let free = json!({"maxEntries": -1, "maxArraySize": -1, "maxDepth": -1, "maxNameLength": null,
        "maxValueLength": -1, "preventDuplicateKey": false});
    let long = format!("[\"{}\"{}]", "x".repeat(5000), ",1".repeat(5000));
    assert_eq!(key(&free, "application/json", &long), None);
    assert_eq!(key(&free, "application/json", r#"{"a":1,"a":1}"#), None);
    let deep = "[".repeat(100_000);
    assert_eq!(
        key(&free, "application/json", &deep).as_deref(),
        Some("JSON_THREAT_MAX_DEPTH")
    );
}

#[test]
fn only_json_is_looked_at_whatever_its_parameters() {
    for (content_type, is_checked) in [
        ("application/json", true),
        ("Application/JSON; charset=utf-8", true),
        ("text/plain", false),
        ("application/xml", false),
    ] {
        assert_eq!(
            key(&json!({}), content_type, "{").is_some(),
            is_checked,
            "{content_type}"
        );
    }
}
