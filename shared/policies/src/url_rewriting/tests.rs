//! Replacements in headers and body, and their bounds.

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, LOCATION};
use serde_json::{Value, json};
use tidegate_policy::{Exchange, Outcome, Phase};

use crate::testing::{example, exchange, refusal, run};

const NAME: &str = "url-rewriting";

fn answered(body: &'static [u8]) -> Exchange {
    let mut exchange = exchange();
    let headers = &mut exchange.response.headers;
    headers.insert(LOCATION, "http://backend:8080/a/1".parse().unwrap());
    headers.append("link", "<http://backend:8080/b>".parse().unwrap());
    headers.append("link", "</c>".parse().unwrap());
    headers.insert(CONTENT_LENGTH, "30".parse().unwrap());
    exchange.response.content.set(Bytes::from_static(body));
    exchange
}

fn after(configuration: &Value, body: &'static [u8]) -> Exchange {
    let mut exchange = answered(body);
    let outcome = run(NAME, configuration, Phase::Response, &mut exchange);
    assert!(outcome.is_continue(), "{outcome:?}");
    exchange
}

#[test]
fn the_example_of_the_readme_runs() {
    let configuration = example(include_str!("README.md"));
    let body = br#"{"self": "http://backend:8080/a/1", "all": "http://backend:8080/a"}"#;
    let exchange = after(&configuration, body);
    let headers = &exchange.response.headers;
    assert_eq!(headers[LOCATION], "https://api.example/shop/a/1");
    let links: Vec<_> = headers.get_all("link").iter().collect();
    assert_eq!(links, ["<https://api.example/shop/b>", "</c>"]);
    assert!(!headers.contains_key(CONTENT_LENGTH));
    assert_eq!(
        exchange.response.content.bytes().unwrap(),
        r#"{"self": "https://api.example/shop/a/1", "all": "https://api.example/shop/a"}"#
    );
}

#[test]
fn headers_and_body_can_be_left_alone() {
    let configuration = |headers: bool, body: bool| {
        json!({"rewriteResponseHeaders": headers, "rewriteResponseBody": body,
            "fromRegex": "backend", "toReplacement": "x"})
    };
    let exchange = after(&configuration(true, false), b"backend");
    assert_eq!(exchange.response.headers[LOCATION], "http://x:8080/a/1");
    assert_eq!(exchange.response.content.bytes().unwrap(), "backend");
    let exchange = after(&configuration(false, true), b"backend");
    assert_eq!(
        exchange.response.headers[LOCATION],
        "http://backend:8080/a/1"
    );
    assert_eq!(exchange.response.content.bytes().unwrap(), "x");
}

#[test]
fn a_body_without_a_match_or_that_is_no_text_stays_as_it_is() {
    let configuration = json!({"fromRegex": "zzz|a", "toReplacement": "x"});
    for body in [&b"bcd"[..], b"\xff\x00a"] {
        let exchange = after(&configuration, body);
        assert_eq!(exchange.response.content.bytes().unwrap(), body);
        assert_eq!(exchange.response.headers[CONTENT_LENGTH], "30");
    }
}

#[test]
fn groups_are_seen_by_position_and_name() {
    let configuration = json!({"fromRegex": "(a)(?<n>b)?",
        "toReplacement": "[{#group[0]}{#groupName['n']}]"});
    let exchange = after(&configuration, b"ab a");
    assert_eq!(exchange.response.content.bytes().unwrap(), "[ab] [a]");
}

#[test]
fn too_much_work_and_failing_expressions_give_500() {
    let long: &'static [u8] = Box::leak(vec![b'a'; 60_000].into_boxed_slice());
    for (configuration, body) in [
        (json!({"fromRegex": "a", "toReplacement": "b"}), long),
        (
            json!({"fromRegex": "a", "toReplacement": "{#nothing.x}"}),
            b"a",
        ),
        (
            json!({"fromRegex": "backend", "toReplacement": "a\nb"}),
            b"a",
        ),
    ] {
        let outcome = run(NAME, &configuration, Phase::Response, &mut answered(body));
        assert!(
            matches!(&outcome, Outcome::Fail(failure) if failure.status == 500),
            "{configuration}: {outcome:?}"
        );
    }
}

#[test]
fn wrong_configuration_is_refused_with_its_place() {
    for (configuration, path) in [
        (json!({"fromRegex": "(", "toReplacement": ""}), "fromRegex"),
        (
            json!({"fromRegex": "a", "toReplacement": "{#a +}"}),
            "toReplacement",
        ),
        (
            json!({"fromRegex": "a", "toReplacement": 1}),
            "toReplacement",
        ),
    ] {
        assert_eq!(refusal(NAME, &configuration).path, path, "{configuration}");
    }
}
