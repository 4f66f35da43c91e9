//! Order, expressions and failures of `transform-headers`.

use http::StatusCode;
use serde_json::{Value, json};
use tidegate_policy::{Exchange, Outcome, Phase};

use crate::testing::{example, exchange, refusal, run};

const NAME: &str = "transform-headers";

fn after(configuration: &Value) -> Exchange {
    let mut exchange = exchange();
    exchange
        .request
        .headers
        .insert("cookie", "a=b".parse().unwrap());
    let outcome = run(NAME, configuration, Phase::Request, &mut exchange);
    assert!(outcome.is_continue(), "{outcome:?}");
    exchange
}

fn names(exchange: &Exchange) -> Vec<&str> {
    let mut names: Vec<&str> = exchange
        .request
        .headers
        .keys()
        .map(|name| name.as_str())
        .collect();
    names.sort_unstable();
    names
}

#[test]
fn the_example_of_the_readme_runs() {
    let exchange = after(&example(include_str!("README.md")));
    assert_eq!(exchange.request.headers["x-plan-limit"], "10");
    assert_eq!(exchange.request.headers["x-tenant"], "tenant-acme");
    assert_eq!(names(&exchange), ["x-plan-limit", "x-tenant"]);
}

#[test]
fn headers_are_set_then_whitelisted_then_removed() {
    let exchange = after(&json!({
        "addHeaders": [{"name": "X-New", "value": "1"}, {"name": "X-Other", "value": "2"}],
        "whitelistHeaders": ["x-new", "X-TENANT"],
        "removeHeaders": ["X-Tenant"]
    }));
    assert_eq!(names(&exchange), ["x-new"]);
}

#[test]
fn setting_replaces_all_values_and_later_values_see_earlier_ones() {
    let mut exchange = exchange();
    exchange
        .response
        .headers
        .append("x-a", "1".parse().unwrap());
    exchange
        .response
        .headers
        .append("x-a", "2".parse().unwrap());
    let configuration = json!({"addHeaders": [
        {"name": "X-A", "value": "3"},
        {"name": "X-B", "value": "{#response.headers['X-A'].size()}"}
    ]});
    assert!(run(NAME, &configuration, Phase::Response, &mut exchange).is_continue());
    assert_eq!(exchange.response.headers.get_all("x-a").iter().count(), 1);
    assert_eq!(exchange.response.headers["x-b"], "1");
}

#[test]
fn null_and_missing_members_change_nothing() {
    for configuration in [
        json!({}),
        json!({"addHeaders": null, "removeHeaders": null, "whitelistHeaders": []}),
        json!({"addHeaders": [{"name": "Cookie"}], "removeHeaders": [" "]}),
        json!({"addHeaders": [{"name": "Cookie", "value": "{#nothing}"}]}),
    ] {
        assert_eq!(names(&after(&configuration)), ["cookie", "x-tenant"]);
    }
}

#[test]
fn a_value_that_cannot_be_evaluated_or_sent_fails_with_the_key() {
    for value in [
        "{#request.headers['X-None'][0]}",
        "{('a' + T(java.net.URLDecoder).decode('%0A'))}",
    ] {
        let configuration = json!({"addHeaders": [{"name": "X-A", "value": value}]});
        let Outcome::Fail(failure) = run(NAME, &configuration, Phase::Request, &mut exchange())
        else {
            panic!("{value} did not fail");
        };
        assert_eq!(failure.status, StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(failure.key.as_deref(), Some(super::FAILURE_KEY));
        assert!(failure.cause.is_some());
    }
}

#[test]
fn wrong_configuration_is_refused_with_its_place() {
    for (configuration, path) in [
        (
            json!({"addHeaders": [{"name": "bad name", "value": "1"}]}),
            "addHeaders[0].name",
        ),
        (
            json!({"addHeaders": [{"name": "A", "value": "{#a +}"}]}),
            "addHeaders[0].value",
        ),
        (
            json!({"addHeaders": [{"name": "A", "value": "a\nb"}]}),
            "addHeaders[0].value",
        ),
        (json!({"removeHeaders": ["a", "b:"]}), "removeHeaders[1]"),
        (json!({"addHeaders": [{"name": 5}]}), "addHeaders[0].name"),
    ] {
        assert_eq!(refusal(NAME, &configuration).path, path, "{configuration}");
    }
}
