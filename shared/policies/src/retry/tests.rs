//! When the endpoint is called again, and what is given in the end.

use std::rc::Rc;
use std::time::Duration;

use serde_json::{Value, json};
use tidegate_policy::{Exchange, Failure, Phase};

use crate::fakes::{Answer, FakeEndpoint, FakeTasks};
use crate::testing::{example, exchange, refusal, run, services};

const DOWN: Answer = Answer::Response(503, &[], "down");
const UP: Answer = Answer::Response(200, &[], "up");

struct Ran {
    result: Result<(), Box<Failure>>,
    exchange: Exchange,
    endpoint: FakeEndpoint,
    sleeps: Vec<Duration>,
}

fn ran(configuration: &Value, answers: &[Answer]) -> Ran {
    let mut exchange = exchange();
    let own = http::HeaderValue::from_static("1");
    exchange.response.headers.insert("x-own", own);
    assert!(run("retry", configuration, Phase::Request, &mut exchange).is_continue());
    let tasks = Rc::new(FakeTasks::default());
    let mut services = services();
    services.tasks = Rc::<FakeTasks>::clone(&tasks);
    let mut endpoint = FakeEndpoint::new(answers.iter().cloned());
    let result = endpoint.around(&mut exchange, &services);
    Ran {
        result,
        exchange,
        endpoint,
        sleeps: tasks.sleeps(),
    }
}

#[test]
fn the_example_of_the_readme_calls_until_the_response_is_good() {
    let ran = ran(&example(include_str!("README.md")), &[DOWN, DOWN, UP]);
    ran.result.unwrap();
    assert_eq!(ran.endpoint.calls, 3);
    assert_eq!(ran.endpoint.discarded, 2);
    assert_eq!(ran.exchange.response.status, 200);
    assert_eq!(ran.exchange.response.headers["x-own"], "1");
    let millis: Vec<u128> = ran.sleeps.iter().map(Duration::as_millis).collect();
    assert_eq!(millis, [2000, 50, 2000, 50, 2000]);
}

#[test]
fn calls_that_fail_or_take_too_long_are_tried_again() {
    let configuration = json!({"condition": "{#response.status >= 500}", "maxRetries": "2"});
    let ran = ran(&configuration, &[Answer::Failure(502), Answer::Silence, UP]);
    ran.result.unwrap();
    assert_eq!(ran.endpoint.calls, 3);
    assert_eq!(ran.exchange.response.status, 200);
}

#[test]
fn when_no_call_was_good_the_client_gets_502_or_the_last_response() {
    let configuration = |gives_last: bool| json!({"condition": "{#response.status >= 500}", "lastResponse": gives_last});
    let without = ran(&configuration(false), &[DOWN, DOWN]);
    let failure = without.result.unwrap_err();
    assert_eq!(failure.status, 502);
    assert!(failure.key.is_none());
    assert!(failure.message.is_none(), "no message, no body");
    assert_eq!(without.endpoint.calls, 2);
    let with = ran(&configuration(true), &[DOWN, DOWN]);
    with.result.unwrap();
    assert_eq!(with.exchange.response.status, 503);
    let silent = ran(&configuration(true), &[DOWN, Answer::Failure(504)]);
    assert_eq!(silent.result.unwrap_err().status, 502);
}

#[test]
fn zero_stands_for_the_defaults() {
    let configuration =
        json!({"condition": "{#response.status >= 500}", "maxRetries": 0, "timeout": 0});
    let ran = ran(&configuration, &[DOWN, UP]);
    ran.result.unwrap();
    assert_eq!(ran.endpoint.calls, 2);
    assert_eq!(ran.sleeps[0], Duration::from_secs(1));
}

#[test]
fn a_condition_may_read_the_body() {
    let configuration = json!({"condition": "{#response.content == 'down'}", "maxRetries": 1});
    assert!(ran(&configuration, &[DOWN, DOWN]).result.is_err());
    assert!(ran(&configuration, &[UP]).result.is_ok());
}

#[test]
fn the_request_body_is_kept_for_further_calls() {
    use tidegate_policy::{CompileContext, PolicyKind};
    let config = serde_json::from_value(json!({"condition": "{(false)}"})).unwrap();
    let ctx = CompileContext {
        phase: Phase::Request,
        environment: "",
        api: "",
        files: None,
    };
    let needs = super::Retry::compile(config, &ctx).unwrap().needs;
    assert!(needs.request_content && !needs.response_content);
}

#[test]
fn wrong_configuration_is_refused_with_its_place() {
    for (configuration, path) in [
        (json!({}), "condition"),
        (json!({"condition": "{#a +}"}), "condition"),
        (
            json!({"condition": "{(true)}", "maxRetries": 101}),
            "maxRetries",
        ),
        (json!({"condition": "{(true)}", "delay": -1}), "delay"),
        (
            json!({"condition": "{(true)}", "timeout": 9_999_999}),
            "timeout",
        ),
    ] {
        assert_eq!(refusal("retry", &configuration).path, path);
    }
}
