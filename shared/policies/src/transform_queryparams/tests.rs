//! Order, encoding and failures of `transform-queryparams`.

use http::Method;
use serde_json::{Value, json};
use tidegate_policy::{Phase, Query};

use crate::testing::{example, exchange, refusal, run};

const NAME: &str = "transform-queryparams";

fn after(query: &str, configuration: &Value) -> String {
    let mut exchange = exchange();
    exchange.request.method = Method::GET;
    exchange.request.query = Query::new(Some(query));
    let outcome = run(NAME, configuration, Phase::Request, &mut exchange);
    assert!(outcome.is_continue(), "{outcome:?}");
    exchange
        .request
        .query
        .to_text()
        .unwrap_or_default()
        .to_string()
}

#[test]
fn the_example_of_the_readme_runs() {
    let configuration = example(include_str!("README.md"));
    assert_eq!(
        after("page=2&debug=1&tag=a", &configuration),
        "page=2&tag=a&tenant=acme&tag=b"
    );
}

#[test]
fn parameters_are_cleared_then_set_then_removed() {
    let set = |append: bool| json!({"name": "a", "value": "9", "appendToExistingArray": append});
    for (configuration, expected) in [
        (json!({}), "a=1&b=2&a=3"),
        (json!({"clearAll": true}), ""),
        (json!({"addQueryParameters": [set(false)]}), "a=9&b=2"),
        (
            json!({"addQueryParameters": [set(true)]}),
            "a=1&b=2&a=3&a=9",
        ),
        (
            json!({"addQueryParameters": [set(true)], "removeQueryParameters": ["a", " "]}),
            "b=2",
        ),
        (
            json!({"clearAll": true, "addQueryParameters": [set(true)], "removeQueryParameters": ["a"]}),
            "a=9",
        ),
    ] {
        assert_eq!(
            after("a=1&b=2&a=3", &configuration),
            expected,
            "{configuration}"
        );
    }
}

#[test]
fn values_stay_raw_but_cannot_end_the_query_or_begin_a_parameter() {
    for (value, expected) in [
        ("x y", "n=x%20y"),
        ("%20+=", "n=%20+="),
        ("a&admin=1#f", "n=a%26admin=1%23f"),
        ("é\n", "n=%C3%A9%0A"),
        ("", "n="),
    ] {
        let configuration =
            json!({"addQueryParameters": [{"name": "n", "value": value}], "clearAll": true});
        assert_eq!(after("", &configuration), expected, "{value}");
    }
    let configuration = json!({"addQueryParameters": [{"name": "my name=", "value": "1"}]});
    assert_eq!(after("", &configuration), "my%20name%3D=1");
}

#[test]
fn null_and_failing_values_change_nothing() {
    for value in ["{#nothing}", "{#nothing.name}"] {
        let configuration = json!({"addQueryParameters": [
            {"name": "a", "value": value}, {"name": "a"}, {"name": " ", "value": "1"}
        ]});
        assert_eq!(after("a=1", &configuration), "a=1", "{value}");
    }
}

#[test]
fn wrong_configuration_is_refused_with_its_place() {
    for (configuration, path) in [
        (
            json!({"addQueryParameters": [{"name": "a", "value": "{#a +}"}]}),
            "addQueryParameters[0].value",
        ),
        (json!({"clearAll": "yes"}), "clearAll"),
        (
            json!({"removeQueryParameters": [1]}),
            "removeQueryParameters[0]",
        ),
    ] {
        assert_eq!(refusal(NAME, &configuration).path, path, "{configuration}");
    }
}
