//! Types, order and failures of assigned attributes.

use serde_json::json;
use tidegate_expression::Value;
use tidegate_policy::{Outcome, Phase};

use crate::testing::{example, exchange, refusal, run};

const NAME: &str = "policy-assign-attributes";

#[test]
fn the_example_of_the_readme_runs() {
    let mut exchange = exchange();
    let configuration = example(include_str!("README.md"));
    assert!(run(NAME, &configuration, Phase::Request, &mut exchange).is_continue());
    assert_eq!(exchange.attribute("page"), Value::from(2));
    assert_eq!(exchange.attribute("next"), Value::from(3));
    assert_eq!(exchange.attribute("label"), Value::from("page 2 of Shop"));
}

#[test]
fn platform_attributes_are_set_by_their_prefix_alone() {
    let mut exchange = exchange();
    let configuration = json!({"attributes": [
        {"name": "request.endpoint", "value": "a:"},
        {"name": "gravitee.attribute.request.method", "value": "PUT"}
    ]});
    assert!(run(NAME, &configuration, Phase::Response, &mut exchange).is_continue());
    assert_eq!(exchange.attributes.get_platform("request.endpoint"), None);
    assert_eq!(exchange.attribute("request.endpoint"), Value::from("a:"));
    let method = exchange.attributes.get_platform("request.method");
    assert_eq!(method, Some(&Value::from("PUT")));
    assert_eq!(exchange.attribute("request.method"), Value::from("PUT"));
}

#[test]
fn null_removes_an_attribute() {
    let mut exchange = exchange();
    let configuration = json!({"attributes": [
        {"name": "a", "value": "1"}, {"name": "a", "value": null}, {"name": "b"}
    ]});
    assert!(run(NAME, &configuration, Phase::Request, &mut exchange).is_continue());
    assert_eq!(exchange.attributes.iter().count(), 0);
}

#[test]
fn a_value_that_fails_gives_500() {
    let configuration = json!({"attributes": [{"name": "a", "value": "{#nothing.name}"}]});
    let outcome = run(NAME, &configuration, Phase::Request, &mut exchange());
    assert!(matches!(outcome, Outcome::Fail(failure) if failure.status == 500));
}

#[test]
fn wrong_configuration_is_refused_with_its_place() {
    for (configuration, path) in [
        (
            json!({"attributes": [{"name": " ", "value": "1"}]}),
            "attributes[0].name",
        ),
        (
            json!({"attributes": [{"name": "a", "value": "{#a +}"}]}),
            "attributes[0].value",
        ),
        (json!({"attributes": {}}), "attributes"),
    ] {
        assert_eq!(refusal(NAME, &configuration).path, path, "{configuration}");
    }
}
