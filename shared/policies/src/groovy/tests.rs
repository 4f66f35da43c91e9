//! Kept, checked, never deployed.

use serde_json::json;
use tidegate_policy::Phase;

use crate::registry::find;
use crate::testing::{example, exchange, failure, refusal, run};

#[test]
fn the_example_of_the_readme_is_valid_and_undeployable_with_its_place() {
    let configuration = example(include_str!("README.md"));
    let found = find("groovy").unwrap().undeployable(&configuration);
    assert_eq!(found.unwrap().path, "script");
}

#[test]
fn the_script_that_is_there_is_named() {
    let policy = find("groovy").unwrap();
    let configuration = json!({"script": " ", "onResponseContentScript": "1"});
    let found = policy.undeployable(&configuration).unwrap();
    assert_eq!(found.path, "onResponseContentScript");
    assert!(policy.undeployable(&json!({})).is_some());
}

#[test]
fn a_step_that_ran_would_fail() {
    let outcome = run("groovy", &json!({}), Phase::Request, &mut exchange());
    let key = failure(outcome).key;
    assert_eq!(key.as_deref(), Some("GROOVY_EXECUTION_FAILURE"));
}

#[test]
fn wrong_types_are_refused_with_their_place() {
    assert_eq!(refusal("groovy", &json!({"script": 1})).path, "script");
}
