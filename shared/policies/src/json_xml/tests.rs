//! The XML that JSON becomes, and JSON that is refused.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use serde_json::{Value, json};
use tidegate_policy::{Exchange, Outcome, Phase};

use crate::testing::{example, exchange, refusal, run};

const NAME: &str = "json-xml";

fn of(body: &str) -> Exchange {
    let mut exchange = exchange();
    exchange
        .request
        .content
        .set(Bytes::copy_from_slice(body.as_bytes()));
    exchange
        .response
        .content
        .set(Bytes::copy_from_slice(body.as_bytes()));
    exchange
}

fn written(body: &Value) -> String {
    let mut exchange = of(&body.to_string());
    let outcome = run(NAME, &json!({}), Phase::Request, &mut exchange);
    assert!(outcome.is_continue(), "{outcome:?}");
    String::from_utf8(exchange.request.content.bytes().unwrap().to_vec()).unwrap()
}

#[test]
fn the_example_of_the_readme_runs() {
    let mut exchange = of(r#"{"id": 7, "item": ["a", "b"], "note": ""}"#);
    let configuration = example(include_str!("README.md"));
    assert!(run(NAME, &configuration, Phase::Response, &mut exchange).is_continue());
    assert_eq!(
        exchange.response.content.bytes().unwrap(),
        "<order><id>7</id><item>a</item><item>b</item><note/></order>"
    );
    assert_eq!(
        exchange.response.headers[CONTENT_TYPE],
        "application/xml;charset=UTF-8"
    );
}

#[test]
fn members_become_elements() {
    for (body, expected) in [
        (json!({}), "<root></root>"),
        (
            json!({"a": null, "b": true, "c": 1.5}),
            "<root><a>null</a><b>true</b><c>1.5</c></root>",
        ),
        (
            json!({"a": {"content": "x", "b": {}}}),
            "<root><a>x<b></b></a></root>",
        ),
        (json!({"content": ["x", 1]}), "<root>x\n1</root>"),
        (json!({"a": []}), "<root></root>"),
        (
            json!({"a": [[1, 2], {"b": 3}]}),
            "<root><a><array>1</array><array>2</array></a><a><b>3</b></a></root>",
        ),
        (
            json!({"a": "<&>\"'\r\n"}),
            "<root><a>&lt;&amp;&gt;&quot;&apos;&#13;\n</a></root>",
        ),
        (json!({"s:é-1": "x"}), "<root><s:é-1>x</s:é-1></root>"),
    ] {
        assert_eq!(written(&body), expected, "{body}");
    }
}

#[test]
fn what_xml_makes_of_json_is_the_json_again() {
    let body = json!({"root": {"a": ["x", "y"], "b": {"c": 1}, "d": ""}});
    let xml = written(&body["root"]);
    let mut exchange = of(&xml);
    assert!(run("xml-json", &json!({}), Phase::Request, &mut exchange).is_continue());
    let again: Value = serde_json::from_slice(exchange.request.content.bytes().unwrap()).unwrap();
    assert_eq!(again, body);
}

#[test]
fn what_cannot_be_xml_fails_with_the_key() {
    let many = vec![1; 9000];
    let long = json!({"k".repeat(2000): many}).to_string();
    for body in [
        "{",
        "[1]",
        "1",
        r#"{"a b": 1}"#,
        r#"{"a><b": 1}"#,
        r#"{"": 1}"#,
        r#"{"a": "\u0000"}"#,
        &long,
    ] {
        for (phase, status) in [(Phase::Request, 400), (Phase::Response, 500)] {
            let Outcome::Fail(failure) = run(NAME, &json!({}), phase, &mut of(body)) else {
                panic!("{body} did not fail");
            };
            assert_eq!(failure.status, status);
            assert_eq!(failure.key.as_deref(), Some(super::FAILURE_KEY));
        }
    }
}

#[test]
fn an_empty_body_stays_empty() {
    let mut exchange = of("");
    assert!(run(NAME, &json!({}), Phase::Request, &mut exchange).is_continue());
    assert_eq!(exchange.request.content.bytes().unwrap(), "");
}

#[test]
fn wrong_configuration_is_refused_with_its_place() {
    for root in [json!("a b"), json!(""), json!("1"), json!(7)] {
        assert_eq!(
            refusal(NAME, &json!({"rootElement": root})).path,
            "rootElement"
        );
    }
}
