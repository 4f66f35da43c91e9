//! The call that is made, what becomes of the answer, and of no answer.

use std::rc::Rc;

use serde_json::{Value, json};
use tidegate_policy::{CallError, Exchange, Outcome, Phase, Services};

use crate::fakes::{FakeHttp, FakeTasks};
use crate::testing::{example, exchange, failure, refusal, run_with, services};

fn with_http(http: &Rc<FakeHttp>) -> Services {
    let mut services = services();
    services.http = Rc::<FakeHttp>::clone(http);
    services
}

fn run(configuration: &Value, http: &Rc<FakeHttp>, exchange: &mut Exchange) -> Outcome {
    run_with(
        "policy-http-callout",
        configuration,
        Phase::Request,
        exchange,
        &with_http(http),
    )
}

#[test]
fn the_example_of_the_readme_sets_the_attribute() {
    let http = FakeHttp::answering(200, &[], r#"{"name": "Ada"}"#);
    let mut exchange = exchange();
    let outcome = run(&example(include_str!("README.md")), &http, &mut exchange);
    assert!(outcome.is_continue());
    assert_eq!(exchange.attribute("user").as_text(), Some("Ada"));
    let calls = http.calls();
    assert_eq!(calls.len(), 1);
    assert_eq!(calls[0].request.method(), "GET");
    assert_eq!(calls[0].request.uri(), "https://users.example.com/acme");
    assert_eq!(calls[0].request.headers()["accept"], "application/json");
    assert!(calls[0].options.verify_peer);
}

#[test]
fn an_answer_that_meets_the_condition_ends_the_exchange() {
    let http = FakeHttp::answering(404, &[], "");
    let configuration = example(include_str!("README.md"));
    let failure = failure(run(&configuration, &http, &mut exchange()));
    assert_eq!(failure.status, 403);
    assert_eq!(failure.key.as_deref(), Some("CALLOUT_EXIT_ON_ERROR"));
    assert_eq!(failure.message.as_deref(), Some("Unknown tenant (404)"));
}

#[test]
fn conditions_see_headers_and_content() {
    let http = FakeHttp::answering(200, &[("X-State", "gone")], "no");
    for (condition, is_error) in [
        ("{#calloutResponse.headers['x-state'][0] == 'gone'}", true),
        ("{#calloutResponse.content == 'yes'}", false),
        ("{#calloutResponse.status != 200}", false),
    ] {
        let configuration = json!({
            "url": "http://a", "exitOnError": true, "errorCondition": condition});
        let outcome = run(&configuration, &http, &mut exchange());
        assert_eq!(outcome.is_continue(), !is_error, "{condition}");
        if let Outcome::Fail(failure) = outcome {
            assert_eq!(failure.status, 500);
            assert_eq!(failure.message.as_deref(), Some("Request is terminated."));
        }
    }
}

#[test]
fn without_exit_an_error_answer_sets_variables_and_null_removes_them() {
    let http = FakeHttp::answering(500, &[], "down");
    let configuration = json!({"url": "http://a", "variables": [
        {"name": "status", "value": "{#calloutResponse.status}"},
        {"name": "old", "value": null}, {"name": " ", "value": "x"}]});
    let mut exchange = exchange();
    exchange.attributes.set(&"old".into(), "set".into());
    assert!(run(&configuration, &http, &mut exchange).is_continue());
    assert_eq!(exchange.attribute("status").as_text(), Some("500"));
    assert!(exchange.attribute("old").is_null());
}

#[test]
fn no_answer_is_an_error_with_the_status_that_exit_sets() {
    for (configuration, status) in [
        (json!({"url": "http://a"}), 500),
        (json!({"url": "http://a", "errorStatusCode": 418}), 500),
        (
            json!({"url": "http://a", "exitOnError": true, "errorStatusCode": 418}),
            418,
        ),
        (json!({"url": "{('not a url')}"}), 500),
        (
            json!({"url": "http://a", "body": "{#request.nothing}"}),
            500,
        ),
    ] {
        let http = FakeHttp::failing(CallError::Timeout);
        let failure = failure(run(&configuration, &http, &mut exchange()));
        assert_eq!(failure.status, status, "{configuration}");
        assert_eq!(failure.key.as_deref(), Some("CALLOUT_HTTP_ERROR"));
    }
}

#[test]
fn a_forgotten_call_is_made_beside_the_exchange_and_its_answer_dropped() {
    let http = FakeHttp::failing(CallError::Timeout);
    let tasks = Rc::new(FakeTasks::default());
    let mut services = with_http(&http);
    services.tasks = Rc::<FakeTasks>::clone(&tasks);
    let configuration = json!({
        "url": "http://a/b?c", "method": "post", "body": "{#request.path}",
        "fireAndForget": true, "exitOnError": true});
    let outcome = run_with(
        "policy-http-callout",
        &configuration,
        Phase::Request,
        &mut exchange(),
        &services,
    );
    assert!(outcome.is_continue());
    assert!(http.calls().is_empty(), "not before the task runs");
    tasks.run();
    let calls = http.calls();
    assert_eq!(calls[0].request.method(), "POST");
    assert_eq!(calls[0].request.body(), "/shop/items");
}

#[test]
fn wrong_configuration_is_refused_with_its_place() {
    for (configuration, path) in [
        (json!({}), "url"),
        (json!({"url": "/relative"}), "url"),
        (json!({"url": "{#a +}"}), "url"),
        (json!({"url": "http://a", "method": "a b"}), "method"),
        (
            json!({"url": "http://a", "errorStatusCode": 99}),
            "errorStatusCode",
        ),
        (
            json!({"url": "http://a", "errorStatusCode": "x"}),
            "errorStatusCode",
        ),
        (
            json!({"url": "http://a", "errorCondition": "{#a +}"}),
            "errorCondition",
        ),
        (
            json!({"url": "http://a", "variables": [{"name": "a", "value": "{#a +}"}]}),
            "variables[0].value",
        ),
        (
            json!({"url": "http://a", "headers": [{"name": "a b", "value": ""}]}),
            "headers[0].name",
        ),
    ] {
        let found = refusal("policy-http-callout", &configuration);
        assert_eq!(found.path, path, "{configuration}");
    }
}
