//! What is sent when an exchange is over, and what is not.

use std::rc::Rc;

use bytes::Bytes;
use serde_json::{Value, json};
use tidegate_expression::Text;
use tidegate_policy::{CallError, Exchange, OutboundCall, Phase, Services};

use crate::fakes::{FakeHttp, FakeTasks};
use crate::testing::{example, exchange, refusal, run_with, services};

const NAME: &str = "metrics-reporter";

fn record() -> Value {
    json!({
        "api-id": "shop", "plan-id": "gold", "status": 404, "request-content-length": 3,
        "response-content-length": 12, "gateway-response-time-ms": 7.6, "gateway-latency-ms": 0.2,
        "custom-metrics": {"colour": "red"}
    })
}

/// Runs the step and ends the exchange.
fn reported(configuration: &Value, exchange: &mut Exchange) -> Vec<OutboundCall> {
    let http = FakeHttp::answering(500, &[], "");
    let tasks = Rc::new(FakeTasks::default());
    let services = Services {
        http: Rc::clone(&http) as _,
        tasks: Rc::clone(&tasks) as _,
        ..services()
    };
    let outcome = run_with(NAME, configuration, Phase::Response, exchange, &services);
    assert!(outcome.is_continue(), "{outcome:?}");
    assert!(http.calls().is_empty(), "before the end");
    let reporting = exchange.reporting.take().unwrap_or_default();
    for reporter in &reporting.reporters {
        reporter.report(&record(), &services);
    }
    tasks.run();
    http.calls()
}

#[test]
fn the_example_of_the_readme_runs() {
    let mut exchange = exchange();
    exchange.request.id = Text::constant("r-1");
    let calls = reported(&example(include_str!("README.md")), &mut exchange);
    let [call] = calls.as_slice() else {
        panic!("{calls:?}");
    };
    assert_eq!(call.request.method(), "POST");
    assert_eq!(call.request.uri(), "https://metrics.example/reports");
    assert_eq!(call.request.headers()["content-type"], "application/json");
    let body: Value = serde_json::from_slice(call.request.body()).unwrap();
    let expected = json!({"id": "r-1", "tenant": "acme", "status": 404, "ms": 8, "error": ""});
    assert_eq!(body, expected);
}

#[test]
fn the_template_sees_request_response_attributes_and_metrics() {
    for (body, expected) in [
        (
            "${request.method} ${request.uri} ${request.path}",
            "GET /shop/items?page=2 /shop/items",
        ),
        (
            "${request.params['page'][0]} ${request.contentLength}",
            "2 3",
        ),
        (
            "${response.statusReason} ${response.contentLength}",
            "Not Found 12",
        ),
        ("${response.headers['X-Kind'][0]}", "small"),
        (
            "${request.metrics.api} ${request.metrics.plan} ${request.metrics.proxyLatencyMs}",
            "shop gold 0",
        ),
        ("${request.metrics.customMetrics.colour}", "red"),
        (
            "${request.metrics.user} ${context.attributes['user']} ${context.attributes['api']}",
            "alice alice shop",
        ),
        (
            "${context.attributes['mine']} ${request.metrics.tenant!'none'}",
            "1 none",
        ),
    ] {
        let mut exchange = exchange();
        exchange.attributes.set_platform("user", "alice");
        exchange
            .attributes
            .set(&Text::constant("mine"), 1_i64.into());
        let headers = &mut exchange.response.headers;
        headers.insert("x-kind", "small".parse().unwrap());
        let configuration = json!({"url": "http://m.test", "method": "PUT", "body": body});
        let calls = reported(&configuration, &mut exchange);
        assert_eq!(calls[0].request.body(), &Bytes::from(expected), "{body}");
        assert_eq!(calls[0].request.method(), "PUT");
    }
}

#[test]
fn url_and_headers_are_evaluated_at_the_step() {
    let configuration = json!({
        "url": "http://{#request.headers['X-Tenant'][0]}.test/", "body": "x",
        "headers": [{"name": "X-Api", "value": "{#api.name}"}], "useSystemProxy": true
    });
    let calls = reported(&configuration, &mut exchange());
    assert_eq!(calls[0].request.uri(), "http://acme.test/");
    assert_eq!(calls[0].request.headers()["x-api"], "Shop");
    assert!(calls[0].options.use_system_proxy);
}

#[test]
fn what_cannot_be_reported_fails_nothing() {
    for configuration in [
        json!({"url": "{#nothing}", "body": "x"}),
        json!({"url": "http://m.test", "body": "${request.metrics.errorKey}"}),
        json!({"url": "http://m.test", "body": "${request.none.none}"}),
    ] {
        assert!(
            reported(&configuration, &mut exchange()).is_empty(),
            "{configuration}"
        );
    }
    // Neither does a system that is not there, or a node with too much to do.
    let mut exchange = exchange();
    let configuration = json!({"url": "http://m.test", "body": "x"});
    let services = Services {
        http: FakeHttp::failing(CallError::Timeout),
        ..services()
    };
    let outcome = run_with(
        NAME,
        &configuration,
        Phase::Response,
        &mut exchange,
        &services,
    );
    assert!(outcome.is_continue());
    exchange.reporting_mut().reporters[0].report(&record(), &services);
}

#[test]
fn wrong_configuration_is_refused_with_its_place() {
    for (configuration, path) in [
        (json!({"body": "x"}), "url"),
        (json!({"url": "not absolute", "body": "x"}), "url"),
        (json!({"url": "http://m.test", "body": "${"}), "body"),
        (
            json!({"url": "http://m.test", "method": "GET", "body": ""}),
            "method",
        ),
        (
            json!({"url": "http://m.test", "body": "", "headers": [{"name": "a b", "value": ""}]}),
            "headers[0].name",
        ),
    ] {
        assert_eq!(refusal(NAME, &configuration).path, path, "{configuration}");
    }
}
