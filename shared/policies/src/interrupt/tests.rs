//! The failure of `policy-interrupt` and where it happens.

use serde_json::{Value as Json, json};
use tidegate_expression::Value;
use tidegate_policy::{CompileContext, Failure, Outcome, Phase, PolicyKind};

use crate::testing::{example, exchange, refusal, run};

const NAME: &str = "policy-interrupt";

fn interrupted(configuration: &Json, phase: Phase) -> Option<Failure> {
    match run(NAME, configuration, phase, &mut exchange()) {
        Outcome::Fail(failure) => Some(*failure),
        _ => None,
    }
}

#[test]
fn the_example_of_the_readme_runs() {
    let configuration = example(include_str!("README.md"));
    let failure = interrupted(&configuration, Phase::Request).unwrap();
    assert_eq!(failure.status, 500);
    assert_eq!(failure.key.as_deref(), Some("TENANT_CLOSED"));
    assert_eq!(failure.message.as_deref(), Some("This tenant is closed"));
    assert_eq!(failure.parameters, [("tenant".into(), Value::from("acme"))]);
}

#[test]
fn a_step_acts_in_the_phase_of_its_scope_and_without_one_where_it_stands() {
    for (scope, on_request, on_response) in [
        (json!(null), true, true),
        (json!("REQUEST"), true, false),
        (json!("REQUEST_CONTENT"), true, false),
        (json!("RESPONSE"), false, true),
        (json!("RESPONSE_CONTENT"), false, true),
    ] {
        let configuration = json!({"scope": scope, "errorKey": "K", "message": "m"});
        let acts = |phase| interrupted(&configuration, phase).is_some();
        assert_eq!(
            (acts(Phase::Request), acts(Phase::Response)),
            (on_request, on_response),
            "{scope}"
        );
    }
}

#[test]
fn the_content_scopes_need_the_body() {
    let config = json!({"scope": "REQUEST_CONTENT", "errorKey": "K", "message": "m"});
    let ctx = CompileContext {
        phase: Phase::Request,
        environment: "",
        api: "",
        files: None,
    };
    let compiled = super::Interrupt::compile(serde_json::from_value(config).unwrap(), &ctx);
    assert!(compiled.unwrap().needs.request_content);
}

#[test]
fn variables_that_fail_are_left_out() {
    let configuration = json!({"errorKey": "K", "message": "m", "statusCode": 403, "variables": [
        {"name": "a", "value": "{#nothing.name}"}, {"name": "b"}, {"name": "c", "value": "{(1 + 1)}"},
        {"name": "d", "value": "{#request.params['page'][0]}"}
    ]});
    let failure = interrupted(&configuration, Phase::Response).unwrap();
    assert_eq!(failure.status, 403);
    let names: Vec<&str> = failure
        .parameters
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!(names, ["c", "d"]);
}

#[test]
fn wrong_configuration_is_refused_with_its_place() {
    for (configuration, path) in [
        (json!({"message": "m"}), ""),
        (
            json!({"errorKey": "K", "message": "m", "statusCode": 200}),
            "statusCode",
        ),
        (
            json!({"errorKey": "K", "message": "m", "scope": "NEVER"}),
            "scope",
        ),
        (
            json!({"errorKey": "K", "message": "m", "variables": [{"name": "a", "value": "{#a +}"}]}),
            "variables[0].value",
        ),
    ] {
        assert_eq!(refusal(NAME, &configuration).path, path, "{configuration}");
    }
}
