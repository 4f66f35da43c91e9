//! Checks of whole definitions.

use serde_json::{Value, json};
use tidegate_model::Api;
use tidegate_model::api::Step;
use tidegate_policy::{CompileContext, Phase};

use crate::shared_policy_group::NoGroups;
use crate::{POLICIES, SECURITY_KINDS, compile_steps, undeployable, validate_api};

fn api(flows: &Value, plans: &Value) -> Api {
    let document = json!({
        "id": "shop", "name": "Shop", "apiVersion": "1", "definitionVersion": "4.0.0",
        "type": "proxy",
        "listeners": [{"type": "http", "paths": [{"path": "/shop/"}],
            "entrypoints": [{"type": "http-proxy"}]}],
        "endpointGroups": [{"name": "default", "type": "http-proxy", "endpoints": [{
            "name": "one", "type": "http-proxy", "configuration": {"target": "http://localhost"}}]}],
        "flows": flows, "plans": plans
    });
    Api::from_canonical(&document).unwrap()
}

fn plan(kind: &str, configuration: &Value) -> Value {
    json!({"id": kind, "name": kind, "mode": "standard", "status": "published",
        "security": {"type": kind, "configuration": configuration}})
}

fn step(policy: &str, configuration: &Value) -> Value {
    json!({"policy": policy, "enabled": true, "configuration": configuration})
}

#[test]
fn every_wrong_configuration_is_reported_with_its_path() {
    let flows = json!([{
        "name": "f", "enabled": true,
        "selectors": [{"type": "condition", "condition": "{#a +}"}],
        "request": [
            step("mock", &json!({})),
            step("transform-headers", &json!({"addHeaders": [{"name": 1}], "removeHeaders": "x"})),
            {"policy": "mock", "enabled": false, "condition": "{#b.}", "configuration": {}}
        ],
        "response": [step("policy-assign-attributes", &json!({"attributes": [{"name": " "}]}))]
    }]);
    let plans = json!([plan(
        "api-key",
        &json!({"enableCustomApiKeyHeader": true, "propagateApiKey": 1})
    )]);
    let (violations, _) = validate_api(&api(&flows, &plans));
    let mut paths: Vec<&str> = violations.iter().map(|found| found.path.as_str()).collect();
    paths.sort_unstable();
    assert_eq!(
        paths,
        [
            "flows[0].request[1].configuration.addHeaders[0].name",
            "flows[0].request[1].configuration.removeHeaders",
            "flows[0].request[2].condition",
            "flows[0].response[0].configuration.attributes[0].name",
            "flows[0].selectors[0].condition",
            "plans[0].security.configuration.propagateApiKey",
        ]
    );
}

#[test]
fn unknown_policies_and_members_are_notices_and_only_enabled_ones_keep_from_deploying() {
    let flows = json!([{
        "name": "f", "enabled": true,
        "request": [
            step("mock", &json!({"scope": "REQUEST", "extra": 1})),
            step("unheard-of", &json!({})),
            {"policy": "unheard-of", "enabled": false}
        ],
        "response": [step("mock", &json!({}))]
    }, {"name": "g", "enabled": false, "request": [step("unheard-of", &json!({}))]}]);
    let api = api(
        &flows,
        &json!([
            plan("key-less", &Value::Null),
            plan("mtls", &json!({"a": 1}))
        ]),
    );
    let (violations, notices) = validate_api(&api);
    assert!(violations.is_empty(), "{violations:?}");
    let notices: Vec<(&str, &str)> = notices
        .iter()
        .map(|notice| (notice.code, notice.path.as_str()))
        .collect();
    assert_eq!(
        notices,
        [
            ("unknown-field", "flows[0].request[0].configuration.extra"),
            ("unknown-policy", "flows[0].request[1].policy"),
            ("unknown-policy", "flows[0].request[2].policy"),
            ("unused-step", "flows[0].response[0]"),
            ("unknown-policy", "flows[1].request[0].policy"),
            ("unknown-field", "plans[1].security.configuration.a"),
        ]
    );
    let refused: Vec<String> = undeployable(&api)
        .into_iter()
        .map(|found| found.path)
        .collect();
    assert_eq!(refused, ["flows[0].request[1].policy"]);
}

#[test]
fn chains_have_the_enabled_steps_that_do_something() {
    let flows = json!([{"name": "f", "request": [
        {"policy": "mock", "name": "Answer", "configuration": {}, "condition": "{#request.content != ''}"},
        {"policy": "mock", "enabled": false}
    ]}]);
    let api = api(&flows, &json!([]));
    let steps: &[Step] = &api.flows[0].request;
    let ctx = |phase| CompileContext {
        phase,
        environment: "DEFAULT",
        api: "shop",
        files: None,
    };
    let chain = compile_steps(steps, "flows[0].request", &ctx(Phase::Request), &NoGroups).unwrap();
    assert_eq!(chain.steps().len(), 1);
    assert_eq!(&*chain.steps()[0].name, "Answer");
    assert!(chain.needs().request_content);
    let elsewhere =
        compile_steps(steps, "flows[0].response", &ctx(Phase::Response), &NoGroups).unwrap();
    assert!(elsewhere.is_empty());
}

#[test]
fn names_are_unique_and_schemas_describe_every_member() {
    let policies: Vec<&str> = POLICIES.iter().map(|policy| policy.name()).collect();
    let kinds: Vec<&str> = SECURITY_KINDS.iter().map(|kind| kind.name).collect();
    for mut names in [policies, kinds] {
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }
    for policy in POLICIES {
        let schema = policy.schema();
        // A policy without a configuration has no properties.
        let members = schema["properties"].as_object();
        for (name, member) in members.into_iter().flatten() {
            assert!(
                member["description"].is_string(),
                "{}.{name}",
                policy.name()
            );
        }
    }
}

#[test]
fn a_step_that_cannot_be_deployed_is_kept_with_a_notice_and_refused_with_its_place() {
    let flows = json!([{"name": "f", "enabled": true, "request": [
        step("groovy", &json!({"script": "1"})),
        {"policy": "groovy", "enabled": false, "configuration": {"script": "2"}}
    ]}]);
    let api = api(&flows, &json!([]));
    let (violations, notices) = validate_api(&api);
    assert!(violations.is_empty(), "{violations:?}");
    let places: Vec<(&str, &str)> = notices
        .iter()
        .map(|notice| (notice.code, notice.path.as_str()))
        .collect();
    assert_eq!(
        places,
        [
            (
                "undeployable-step",
                "flows[0].request[0].configuration.script"
            ),
            (
                "undeployable-step",
                "flows[0].request[1].configuration.script"
            ),
        ]
    );
    let refused = undeployable(&api);
    assert_eq!(refused.len(), 1);
    assert_eq!(refused[0].path, "flows[0].request[0].configuration.script");
    let ctx = CompileContext {
        phase: Phase::Request,
        environment: "DEFAULT",
        api: "shop",
        files: None,
    };
    let steps: &[Step] = &api.flows[0].request;
    assert_eq!(
        compile_steps(steps, "s", &ctx, &NoGroups)
            .unwrap_err()
            .len(),
        1
    );
}
