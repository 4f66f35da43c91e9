//! Rules, groups and failures of `dynamic-routing`.

use std::sync::Arc;

use http::uri::PathAndQuery;
use serde_json::{Value as Json, json};
use tidegate_expression::{Value, ValueMap};
use tidegate_policy::{Exchange, Outcome, Phase, RequestPath};

use crate::testing::{example, exchange, refusal, run};

const NAME: &str = "dynamic-routing";

fn of(info: &str) -> Exchange {
    let mut exchange = exchange();
    let target = PathAndQuery::try_from(format!("/shop{info}")).unwrap();
    exchange.request.path = RequestPath::new(target, Arc::from("/shop/"));
    let mut api = (*exchange.api).clone();
    api.endpoints = Arc::new(ValueMap::from_iter([("eu", "eu:"), ("us", "us:")]));
    exchange.api = Arc::new(api);
    exchange
}

fn routed(info: &str, configuration: &Json) -> Option<Value> {
    let mut exchange = of(info);
    let outcome = run(NAME, configuration, Phase::Request, &mut exchange);
    assert!(outcome.is_continue(), "{info}: {outcome:?}");
    exchange
        .attributes
        .get_platform("request.endpoint")
        .cloned()
}

fn rule(pattern: &str, url: &str) -> Json {
    json!({"rules": [{"pattern": pattern, "url": url}]})
}

#[test]
fn the_example_of_the_readme_runs() {
    let configuration = example(include_str!("README.md"));
    for (info, expected) in [
        ("/eu/a/b", "eu:/a/b"),
        ("/acme/orders/7", "https://acme.example/orders/7"),
        ("/other", "us:/other"),
    ] {
        assert_eq!(
            routed(info, &configuration),
            Some(expected.into()),
            "{info}"
        );
    }
}

#[test]
fn the_whole_path_must_match() {
    let configuration = json!({"rules": [
        {"pattern": "/a", "url": "one"}, {"pattern": "/a|/ab?c", "url": "two"}
    ]});
    assert_eq!(routed("/a", &configuration), Some("one".into()));
    assert_eq!(routed("/abc", &configuration), Some("two".into()));
    let outcome = run(NAME, &configuration, Phase::Request, &mut of("/abcd"));
    let Outcome::Fail(failure) = outcome else {
        panic!("{outcome:?}");
    };
    assert_eq!(failure.status, 400);
    assert_eq!(
        failure.message.as_deref(),
        Some("No routing rule is matching path")
    );
}

#[test]
fn patterns_match_the_decoded_path_too_and_groups_stay_encoded() {
    for (info, pattern, expected) in [
        ("/a%20b/c%2Fd", "/a b/(.*)", "/c/d"),
        ("/a%20b/c%2Fd", "/a%20b/(.*)", "/c%2Fd"),
        ("/x%3Fadmin=1", "/(.*)", "/x%3Fadmin=1"),
        ("/a%20b", "/(a b)", "/a%20b"),
        ("/%C3%A9", "/(é)", "/%C3%A9"),
    ] {
        let configuration = rule(pattern, "/{#group[0]}");
        assert_eq!(
            routed(info, &configuration),
            Some(expected.into()),
            "{pattern}"
        );
    }
}

#[test]
fn groups_that_match_nothing_are_null() {
    let configuration = rule(
        "/a(b)?(?<n>c)?",
        "{#group[0] == null}-{#groupName['n']}-{#group.size()}",
    );
    assert_eq!(routed("/ac", &configuration), Some("true-c-2".into()));
}

#[test]
fn patterns_may_have_expressions() {
    let configuration = rule("/{#request.headers['X-Tenant'][0]}/(.*)", "/{#group[0]}");
    assert_eq!(routed("/acme/a", &configuration), Some("/a".into()));
}

#[test]
fn without_rules_nothing_is_routed() {
    assert_eq!(routed("/a", &json!({})), None);
    assert_eq!(routed("/a", &json!({"rules": null})), None);
}

#[test]
fn what_cannot_be_evaluated_gives_500() {
    for (pattern, url) in [
        ("{#request.params['none'][0]}", "a"),
        ("{('(')}", "a"),
        ("{#nothing}", "a"),
        (".*", "{#group[3]}"),
        (".*", "{#nothing}"),
    ] {
        let outcome = run(NAME, &rule(pattern, url), Phase::Request, &mut of("/a"));
        assert!(
            matches!(&outcome, Outcome::Fail(failure) if failure.status == 500),
            "{pattern} {url}: {outcome:?}"
        );
    }
}

#[test]
fn wrong_configuration_is_refused_with_its_place() {
    for (configuration, path) in [
        (rule("(", "a"), "rules[0].pattern"),
        (rule("a)|(b", "a"), "rules[0].pattern"),
        (rule("(?=a)", "a"), "rules[0].pattern"),
        (rule(&"a{900}".repeat(60), "a"), "rules[0].pattern"),
        (rule("{#a +}", "a"), "rules[0].pattern"),
        (rule("a", "{#a +}"), "rules[0].url"),
        (json!({"rules": [{"pattern": "a"}]}), "rules[0]"),
    ] {
        assert_eq!(refusal(NAME, &configuration).path, path, "{configuration}");
    }
}
