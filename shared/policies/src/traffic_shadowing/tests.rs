//! What the copy looks like, and that the client never notices it.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use http::{HeaderValue, Method};
use serde_json::{Value, json};
use tidegate_expression::ValueMap;
use tidegate_policy::{CallError, Exchange, OutboundCall, Phase};

use crate::fakes::{Answer, FakeEndpoint, FakeHttp, FakeTasks};
use crate::testing::{example, exchange, refusal, run, services};

fn with_endpoint() -> Exchange {
    let mut exchange = exchange();
    let mut api = (*exchange.api).clone();
    api.endpoints = Arc::new(ValueMap::from_iter([("shadow", "shadow:")]));
    let url = ("shadow".into(), "https://shadow.example.com/v2/".into());
    api.targets = Arc::new(BTreeMap::from([url]));
    exchange.api = Arc::new(api);
    exchange
}

fn copies(configuration: &Value, exchange: &mut Exchange) -> Vec<OutboundCall> {
    assert!(run("traffic-shadowing", configuration, Phase::Request, exchange).is_continue());
    let http = FakeHttp::failing(CallError::Timeout);
    let tasks = Rc::new(FakeTasks::default());
    let mut services = services();
    services.http = Rc::<FakeHttp>::clone(&http);
    services.tasks = Rc::<FakeTasks>::clone(&tasks);
    let mut endpoint = FakeEndpoint::new([Answer::Response(204, &[], "")]);
    endpoint.around(exchange, &services).unwrap();
    assert_eq!(exchange.response.status, 204);
    tasks.run();
    http.calls()
}

#[test]
fn the_example_of_the_readme_copies_method_path_query_headers_and_body() {
    let mut exchange = with_endpoint();
    exchange.request.id = "r1".into();
    exchange.request.method = Method::PUT;
    exchange.request.content.set("body".into());
    let length = HeaderValue::from_static("99");
    exchange.request.headers.insert("content-length", length);
    let calls = copies(&example(include_str!("README.md")), &mut exchange);
    let request = &calls[0].request;
    assert_eq!(request.method(), Method::PUT);
    let url = "https://shadow.example.com/v2/items?page=2";
    assert_eq!(request.uri(), url);
    assert_eq!(request.headers()["x-tenant"], "acme");
    assert_eq!(request.headers()["x-shadow"], "r1");
    assert!(!request.headers().contains_key("content-length"));
    assert_eq!(request.body(), "body");
    assert!(!exchange.request.headers.contains_key("x-shadow"));
}

#[test]
fn targets_are_endpoints_with_or_without_a_path_or_urls() {
    for (target, url) in [
        (
            "shadow:",
            Some("https://shadow.example.com/v2/items?page=2"),
        ),
        (
            "shadow:/other?a",
            Some("https://shadow.example.com/v2/other?a&page=2"),
        ),
        ("http://a/b", Some("http://a/b?page=2")),
        ("unknown:", None),
        ("nothing", None),
        ("{#request.headers['None'][0]}", None),
    ] {
        let calls = copies(&json!({"target": target}), &mut with_endpoint());
        let found = calls.first().map(|call| call.request.uri().to_string());
        assert_eq!(found.as_deref(), url, "{target}");
    }
}

#[test]
fn a_chosen_method_is_the_method_of_the_copy() {
    let mut exchange = with_endpoint();
    exchange.attributes.set_platform("request.method", "PATCH");
    let calls = copies(&json!({"target": "http://a"}), &mut exchange);
    assert_eq!(calls[0].request.method(), Method::PATCH);
}

#[test]
fn wrong_configuration_is_refused_with_its_place() {
    for (configuration, path) in [
        (json!({}), "target"),
        (json!({"target": "{#a +}"}), "target"),
        (
            json!({"target": "a:", "headers": [{"name": "a b", "value": ""}]}),
            "headers[0].name",
        ),
    ] {
        assert_eq!(refusal("traffic-shadowing", &configuration).path, path);
    }
}
