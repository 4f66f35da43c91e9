//! The signed call, what becomes of the answer, and what cannot be deployed.

use std::rc::Rc;

use serde_json::{Value, json};
use tidegate_policy::{CallError, Exchange, Invoker, Outcome, Phase};

use crate::fakes::FakeHttp;
use crate::registry::find;
use crate::testing::{example, exchange, failure, refusal, run_with, services};

fn run(
    configuration: &Value,
    phase: Phase,
    http: &Rc<FakeHttp>,
    exchange: &mut Exchange,
) -> Outcome {
    let mut services = services();
    services.http = Rc::<FakeHttp>::clone(http);
    run_with("aws-lambda", configuration, phase, exchange, &services)
}

fn keys(more: &Value) -> Value {
    let mut configuration = json!({"accessKey": "a", "secretKey": "s", "function": "f"});
    for (name, value) in more.as_object().unwrap() {
        configuration[name] = value.clone();
    }
    configuration
}

#[test]
fn the_example_of_the_readme_calls_the_function_and_sets_the_attribute() {
    let http = FakeHttp::answering(200, &[], r#"{"price": 12}"#);
    let mut exchange = exchange();
    let configuration = example(include_str!("README.md"));
    assert!(run(&configuration, Phase::Request, &http, &mut exchange).is_continue());
    assert_eq!(exchange.attribute("price").as_text(), Some("12"));
    assert!(matches!(exchange.invoker, Invoker::Endpoint));
    let request = &http.calls()[0].request;
    assert_eq!(
        request.uri(),
        "https://lambda.eu-west-1.amazonaws.com/2015-03-31/functions/price/invocations"
    );
    assert_eq!(request.body(), r#"{"path": "/items"}"#);
    assert_eq!(
        request.headers()["x-amz-invocation-type"],
        "RequestResponse"
    );
    let authorization = &request.headers()["authorization"];
    assert!(authorization.is_sensitive());
    let authorization = authorization.to_str().unwrap();
    let signed = "SignedHeaders=content-type;host;x-amz-date;x-amz-invocation-type;x-amz-log-type";
    assert!(authorization.contains("/20231114/eu-west-1/lambda/aws4_request"));
    assert!(authorization.contains(signed), "{authorization}");
}

#[test]
fn arns_qualifiers_and_other_endpoints_are_part_of_the_url() {
    let http = FakeHttp::answering(202, &[], "");
    let configuration = keys(&json!({
        "function": "arn:aws:lambda:eu-west-1:1:function:f", "qualifier": "a b",
        "endpoint": "http://localhost:4566/", "invocationType": "Event", "logType": "Tail"}));
    assert!(run(&configuration, Phase::Request, &http, &mut exchange()).is_continue());
    let request = &http.calls()[0].request;
    assert_eq!(
        request.uri(),
        "http://localhost:4566/2015-03-31/functions/arn%3Aaws%3Alambda%3Aeu-west-1%3A1%3A\
         function%3Af/invocations?Qualifier=a%20b"
    );
    assert_eq!(request.headers()["x-amz-invocation-type"], "Event");
    assert_eq!(request.headers()["x-amz-log-type"], "Tail");
}

#[test]
fn the_client_may_get_the_answer_in_either_phase() {
    let configuration = keys(&json!({"sendToConsumer": true}));
    let http = FakeHttp::answering(200, &[("content-type", "application/json")], "{}");
    let mut before = exchange();
    assert!(run(&configuration, Phase::Request, &http, &mut before).is_continue());
    let Invoker::Mock(mock) = before.invoker else {
        panic!("the endpoint would be called");
    };
    assert_eq!((mock.status.as_u16(), &mock.content[..]), (200, &b"{}"[..]));
    assert_eq!(mock.headers["content-type"], "application/json");
    let mut after = exchange();
    after.response.status = http::StatusCode::NOT_FOUND;
    assert!(run(&configuration, Phase::Response, &http, &mut after).is_continue());
    assert_eq!(after.response.status, 200);
    assert_eq!(after.response.content.bytes().unwrap(), "{}");
}

#[test]
fn failures_tell_the_function_from_the_service() {
    let answering = FakeHttp::answering;
    for (http, more, status, key) in [
        (
            answering(200, &[("X-Amz-Function-Error", "Unhandled")], ""),
            json!({}),
            500,
            "AWS_LAMBDA_INVALID_RESPONSE",
        ),
        (
            FakeHttp::failing(CallError::Timeout),
            json!({}),
            500,
            "AWS_LAMBDA_INVALID_RESPONSE",
        ),
        (
            answering(200, &[], ""),
            json!({"payload": "{#request.nothing}"}),
            500,
            "AWS_LAMBDA_INVALID_RESPONSE",
        ),
        (
            answering(403, &[], ""),
            json!({}),
            400,
            "AWS_LAMBDA_INVALID_STATUS_CODE",
        ),
        (
            answering(200, &[], ""),
            json!({"variables": [{"name": "a", "value": "{#request.nothing}"}]}),
            500,
            "AWS_LAMBDA_TEMPLATE_VARIABLE_EXCEPTION",
        ),
    ] {
        let outcome = run(&keys(&more), Phase::Request, &http, &mut exchange());
        let failure = failure(outcome);
        assert_eq!(failure.status, status);
        assert_eq!(failure.key.as_deref(), Some(key));
    }
}

#[test]
fn roles_and_missing_keys_keep_from_deploying() {
    let policy = find("aws-lambda").unwrap();
    for (configuration, path) in [
        (keys(&json!({})), None),
        (
            keys(&json!({"roleArn": "arn:aws:iam::1:role/r"})),
            Some("roleArn"),
        ),
        (
            json!({"function": "f", "secretKey": "s"}),
            Some("accessKey"),
        ),
        (keys(&json!({"secretKey": " "})), Some("secretKey")),
    ] {
        let found = policy.undeployable(&configuration);
        assert_eq!(found.as_ref().map(|found| found.path.as_str()), path);
    }
}

#[test]
fn wrong_configuration_is_refused_with_its_place() {
    for (configuration, path) in [
        (json!({}), "function"),
        (keys(&json!({"region": "a/b"})), "region"),
        (keys(&json!({"endpoint": "localhost"})), "endpoint"),
        (keys(&json!({"invocationType": "Later"})), "invocationType"),
        (keys(&json!({"payload": "{#a +}"})), "payload"),
    ] {
        assert_eq!(refusal("aws-lambda", &configuration).path, path);
    }
}
