//! Bodies, keys and messages of both halves.

use bytes::Bytes;
use serde_json::{Value, json};
use tidegate_policy::{Failure, Phase};

use crate::testing::{example, exchange, failure, refusal, run};

const NAME: &str = "json-validation";

fn checked(configuration: &Value, phase: Phase, body: &'static str) -> Option<Failure> {
    let mut exchange = exchange();
    let body = Bytes::from_static(body.as_bytes());
    match phase {
        Phase::Request => exchange.request.content = body.into(),
        _ => exchange.response.content = body.into(),
    }
    let outcome = run(NAME, configuration, phase, &mut exchange);
    (!outcome.is_continue()).then(|| failure(outcome))
}

#[test]
fn the_example_of_the_readme_runs() {
    let configuration = example(include_str!("README.md"));
    assert!(checked(&configuration, Phase::Request, r#"{"name": "a"}"#).is_none());
    let failure = checked(&configuration, Phase::Request, r#"{"name": 1}"#).unwrap();
    assert_eq!(failure.status, 400);
    assert_eq!(
        failure.message.as_deref(),
        Some(r#"{"error": "invalid GET"}"#)
    );
    assert_eq!(failure.content_type.as_deref(), Some("application/json"));
}

#[test]
fn each_half_has_its_status_and_keys() {
    let configuration = json!({"schema": r#"{"required": ["a"]}"#});
    for (phase, body, status, key, message) in [
        (
            Phase::Request,
            "{}",
            400,
            "JSON_INVALID_PAYLOAD",
            "Bad Request",
        ),
        (
            Phase::Request,
            "{",
            400,
            "JSON_INVALID_FORMAT",
            "Bad Request",
        ),
        (
            Phase::Request,
            "",
            400,
            "JSON_INVALID_FORMAT",
            "Bad Request",
        ),
        (
            Phase::Response,
            "{}",
            500,
            "JSON_INVALID_RESPONSE_PAYLOAD",
            "Internal Error",
        ),
        (
            Phase::Response,
            "x",
            500,
            "JSON_INVALID_RESPONSE_FORMAT",
            "Internal Error",
        ),
    ] {
        let failure = checked(&configuration, phase, body).unwrap();
        assert_eq!(failure.status.as_u16(), status);
        assert_eq!(failure.key.as_deref(), Some(key));
        assert_eq!(failure.message.as_deref(), Some(message));
    }
}

#[test]
fn responses_pass_in_straight_mode_and_requests_do_not() {
    let configuration = json!({"schema": "{\"type\": \"object\"}", "straightRespondMode": true});
    assert!(checked(&configuration, Phase::Response, "[]").is_none());
    assert!(checked(&configuration, Phase::Request, "[]").is_some());
}

#[test]
fn a_schema_without_dialect_is_draft_4() {
    // `exclusiveMinimum` is a boolean there, a number later.
    let schema = r#"{"minimum": 3, "exclusiveMinimum": true}"#;
    let configuration = json!({"schema": schema});
    assert!(checked(&configuration, Phase::Request, "3").is_some());
    assert!(checked(&configuration, Phase::Request, "4").is_none());
    let schema = r#"{"$schema": "http://json-schema.org/draft-07/schema#", "exclusiveMinimum": 3}"#;
    let configuration = json!({"schema": schema});
    assert!(checked(&configuration, Phase::Request, "3").is_some());
}

#[test]
fn values_stay_out_of_the_cause() {
    let configuration = json!({"schema": "{\"type\": \"object\"}"});
    let failure = checked(&configuration, Phase::Request, "\"secret\"").unwrap();
    assert!(!failure.cause.unwrap().contains("secret"));
}

#[test]
fn schemas_that_are_none_are_refused() {
    for schema in [
        "",
        "{",
        r#"{"type": "nothing"}"#,
        r#"{"pattern": "(?=a)"}"#,
        r#"{"$ref": "http://example.org/other.json"}"#,
        r#"{"$schema": "http://json-schema.org/draft-03/schema#"}"#,
    ] {
        assert_eq!(
            refusal(NAME, &json!({"schema": schema})).path,
            "schema",
            "{schema}"
        );
    }
}
