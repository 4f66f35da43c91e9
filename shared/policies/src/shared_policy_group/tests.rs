//! Steps of a group in the place of the step that names it.

use futures::executor::block_on;
use serde_json::{Value, json};
use tidegate_model::{Api, Asset, AssetKind, Violation, asset::SharedPolicyGroup};
use tidegate_policy::{Chain, CompileContext, Outcome, Phase};

use super::{NoGroups, PolicyGroups};
use crate::{
    compile_steps,
    testing::{example, exchange, services},
};

struct One(SharedPolicyGroup);

impl PolicyGroups for One {
    fn find(&self, reference: &str) -> Option<&SharedPolicyGroup> {
        (reference == "partner-limits").then_some(&self.0)
    }
}

fn group(phase: &str, steps: &Value) -> One {
    let document = json!({"name": "Limits", "apiType": "proxy", "phase": phase, "steps": steps});
    match Asset::from_canonical(AssetKind::SharedPolicyGroup, &document).unwrap() {
        Asset::SharedPolicyGroup(group) => One(group),
        other => panic!("{other:?}"),
    }
}

fn compiled(
    groups: &dyn PolicyGroups,
    phase: Phase,
    change: &Value,
) -> Result<Chain, Vec<Violation>> {
    let mut step = json!({
        "policy": "shared-policy-group-policy",
        "configuration": example(include_str!("README.md")),
    });
    step.as_object_mut()
        .unwrap()
        .extend(change.as_object().unwrap().clone());
    let flow = json!({"name": "f", phase.flow_member(): [step, set("after", "x")]});
    let api = json!({"name": "a", "type": "proxy", "flows": [flow]});
    let api = Api::from_canonical(&api).unwrap();
    let ctx = CompileContext {
        phase,
        environment: "DEFAULT",
        api: "a",
        files: None,
    };
    let steps = match phase {
        Phase::Response => &api.flows[0].response,
        _ => &api.flows[0].request,
    };
    compile_steps(steps, "flows[0].request", &ctx, groups)
}

fn set(name: &str, value: &str) -> Value {
    json!({"policy": "policy-assign-attributes", "configuration": {"attributes": [{"name": name, "value": value}]}})
}

fn run(chain: &Chain) -> (Outcome, Vec<String>) {
    let mut exchange = exchange();
    let outcome = block_on(chain.run(Phase::Request, &mut exchange, &services()));
    let mut set: Vec<String> = ["a", "b", "after"]
        .iter()
        .filter(|name| exchange.attributes.get(name).is_some())
        .map(|name| (*name).to_owned())
        .collect();
    set.sort_unstable();
    (outcome, set)
}

#[test]
fn the_steps_run_in_place_and_only_under_the_condition_of_the_step() {
    let groups = group("request", &json!([set("a", "1"), set("b", "2")]));
    for (change, expected) in [
        (json!({}), vec!["a", "after", "b"]),
        (
            json!({"condition": "{#request.method == 'GET'}"}),
            vec!["a", "after", "b"],
        ),
        (
            json!({"condition": "{#request.method == 'PUT'}"}),
            vec!["after"],
        ),
        (json!({"enabled": false}), vec!["after"]),
    ] {
        let chain = compiled(&groups, Phase::Request, &change).unwrap();
        let (outcome, set) = run(&chain);
        assert!(outcome.is_continue());
        assert_eq!(set, expected, "{change}");
    }
}

#[test]
fn a_step_that_waits_and_one_that_ends_the_request_do_so_in_a_group() {
    let waits = json!({"policy": "latency", "configuration": {"time": 0}});
    let ends =
        json!({"policy": "policy-interrupt", "configuration": {"errorKey": "K", "message": "m"}});
    let groups = group(
        "request",
        &json!([set("a", "1"), waits, ends, set("b", "2")]),
    );
    let chain = compiled(&groups, Phase::Request, &json!({})).unwrap();
    let (outcome, set) = run(&chain);
    assert!(matches!(outcome, Outcome::Fail(failure) if failure.key.as_deref() == Some("K")));
    assert_eq!(set, ["a"]);
}

#[test]
fn a_group_needs_what_its_steps_need() {
    let reads =
        json!({"policy": "mock", "condition": "{#request.content != ''}", "configuration": {}});
    let chain = compiled(
        &group("request", &json!([reads])),
        Phase::Request,
        &json!({}),
    );
    assert!(chain.unwrap().needs().request_content);
}

#[test]
fn a_group_that_is_missing_or_for_another_phase_is_refused_by_name() {
    let steps = json!([set("a", "1")]);
    let missing = compiled(&NoGroups, Phase::Request, &json!({})).unwrap_err();
    assert_eq!(
        missing[0].path,
        "flows[0].request[0].configuration.sharedPolicyGroupId"
    );
    assert!(
        missing[0].to_string().contains("partner-limits"),
        "{missing:?}"
    );
    let other = compiled(&group("request", &steps), Phase::Response, &json!({})).unwrap_err();
    assert!(other[0].expected.contains("response"), "{other:?}");
    let broken = json!([{"policy": "unheard-of"}]);
    let broken = compiled(&group("request", &broken), Phase::Request, &json!({})).unwrap_err();
    assert!(broken[0].expected.contains("Limits"), "{broken:?}");
}
