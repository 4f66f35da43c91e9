//! Constraints, what is missing, and what the client is told.

use serde_json::{Value, json};
use tidegate_policy::{CompileContext, Failure, Phase, PolicyKind};

use crate::testing::{example, exchange, failure, refusal, run};

const NAME: &str = "policy-request-validation";

fn checked(configuration: &Value, header: Option<&str>) -> Option<Failure> {
    let mut exchange = exchange();
    if let Some(value) = header {
        let value = http::HeaderValue::from_bytes(value.as_bytes()).unwrap();
        exchange.request.headers.insert("x-value", value);
    }
    let outcome = run(NAME, configuration, Phase::Request, &mut exchange);
    (!outcome.is_continue()).then(|| failure(outcome))
}

fn rule(kind: &str, parameters: &[&str]) -> Value {
    json!({"rules": [{"input": "{#request.headers['X-Value'][0]}",
        "constraint": {"type": kind, "parameters": parameters}}]})
}

#[test]
fn the_example_of_the_readme_reports_every_violation() {
    let configuration = example(include_str!("README.md"));
    let failure = checked(&configuration, None).unwrap();
    assert_eq!(failure.status, 422);
    assert_eq!(failure.key.as_deref(), Some("REQUEST_VALIDATION_INVALID"));
    assert_eq!(
        failure.message.as_deref(),
        Some(
            r#"{"message":"Request is not valid according to constraint rules","constraints":["X-Value is needed","'2' must be greater or equals to '10'"]}"#
        )
    );
    assert_eq!(failure.parameters[0].0.as_str(), "violations");
}

#[test]
fn each_constraint_knows_its_values() {
    for (kind, parameters, good, bad) in [
        ("NOT_NULL", &[][..], "x", ""),
        ("MIN", &["3"][..], "3", "2"),
        ("MIN", &["3"][..], "3.5", "x"),
        ("MAX", &["3"][..], "-9", "3.5"),
        ("MAIL", &[][..], "a.b@example.org", "a@"),
        ("DATE", &["yyyy-MM-dd"][..], "2024-02-29", "2024-02-30"),
        ("PATTERN", &["a+"][..], "aa", "aab"),
        ("SIZE", &["1", "3"][..], "äöü", "abcd"),
        ("ENUM", &["a", "b"][..], "b", "c"),
        ("ENUM", &["{#request.params['page'][0]}"][..], "2", "3"),
    ] {
        let rule = rule(kind, parameters);
        assert!(checked(&rule, Some(good)).is_none(), "{kind} {good}");
        assert!(checked(&rule, Some(bad)).is_some(), "{kind} {bad}");
        assert!(checked(&rule, None).is_some(), "{kind} missing");
    }
}

#[test]
fn a_value_that_is_not_required_may_be_missing_or_empty() {
    let mut rule = rule("MIN", &["3"]);
    rule["rules"][0]["isRequired"] = false.into();
    assert!(checked(&rule, None).is_none());
    assert!(checked(&rule, Some("")).is_none());
    assert!(checked(&rule, Some("1")).is_some());
}

#[test]
fn the_scope_of_a_response_does_nothing_and_that_of_the_body_needs_it() {
    let mut configuration = rule("NOT_NULL", &[]);
    configuration["scope"] = "RESPONSE".into();
    assert!(checked(&configuration, None).is_none());
    for (scope, expected) in [("REQUEST_CONTENT", true), ("REQUEST", false)] {
        configuration["scope"] = scope.into();
        let config = serde_json::from_value(configuration.clone()).unwrap();
        let ctx = CompileContext {
            phase: Phase::Request,
            environment: "",
            api: "",
            files: None,
        };
        let compiled = super::RequestValidation::compile(config, &ctx).unwrap();
        assert_eq!(compiled.needs.request_content, expected);
    }
}

#[test]
fn wrong_configuration_is_refused_with_its_place() {
    for (kind, parameters, path) in [
        ("MIN", &[][..], "rules[0].constraint.parameters"),
        ("SIZE", &["1"][..], "rules[0].constraint.parameters"),
        ("MAX", &["x"][..], "rules[0].constraint.parameters[0]"),
        ("PATTERN", &["(a"][..], "rules[0].constraint.parameters[0]"),
        ("DATE", &["QQQ"][..], "rules[0].constraint.parameters[0]"),
    ] {
        assert_eq!(refusal(NAME, &rule(kind, parameters)).path, path, "{kind}");
    }
    assert_eq!(refusal(NAME, &json!({"status": "9"})).path, "status");
}
