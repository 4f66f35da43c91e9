//! Fields, their types and their order.

use serde_json::json;
use tidegate_expression::{Text, Value};
use tidegate_policy::{Exchange, Outcome, Phase};

use crate::testing::{example, exchange, refusal, run};

const NAME: &str = "policy-assign-metrics";

fn metrics(exchange: &mut Exchange) -> Vec<(Text, Value)> {
    exchange.reporting_mut().metrics.clone()
}

#[test]
fn the_example_of_the_readme_runs() {
    let mut exchange = exchange();
    let configuration = example(include_str!("README.md"));
    assert!(run(NAME, &configuration, Phase::Request, &mut exchange).is_continue());
    assert_eq!(
        metrics(&mut exchange),
        [
            ("tenant".into(), Value::from("acme")),
            ("page".into(), Value::from(2))
        ]
    );
}

#[test]
fn a_later_value_replaces_an_earlier_one_and_null_removes_it() {
    let mut exchange = exchange();
    let configuration = json!({"metrics": [
        {"name": "a", "value": "1"}, {"name": "b", "value": "1"}, {"name": "a", "value": "2"},
        {"name": "b", "value": "{#nothing}"}, {"name": "c"}
    ]});
    assert!(run(NAME, &configuration, Phase::Response, &mut exchange).is_continue());
    assert_eq!(metrics(&mut exchange), [("a".into(), Value::from("2"))]);
}

#[test]
fn a_value_that_fails_gives_500() {
    let configuration = json!({"metrics": [{"name": "a", "value": "{#nothing.name}"}]});
    let outcome = run(NAME, &configuration, Phase::Request, &mut exchange());
    assert!(matches!(outcome, Outcome::Fail(failure) if failure.status == 500));
}

#[test]
fn wrong_configuration_is_refused_with_its_place() {
    for (configuration, path) in [
        (
            json!({"metrics": [{"name": "", "value": "1"}]}),
            "metrics[0].name",
        ),
        (
            json!({"metrics": [{"name": "a", "value": "{#a +}"}]}),
            "metrics[0].value",
        ),
    ] {
        assert_eq!(refusal(NAME, &configuration).path, path, "{configuration}");
    }
}
