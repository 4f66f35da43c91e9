//! The mocked response and its configuration.

use http::header::CONTENT_TYPE;
use serde_json::{Value, json};
use tidegate_policy::{Invoker, MockResponse, Outcome, Phase};

use crate::testing::{example, exchange, refusal, run};

fn mocked(configuration: &Value) -> MockResponse {
    let mut exchange = exchange();
    let outcome = run("mock", configuration, Phase::Request, &mut exchange);
    assert!(
        outcome.is_continue(),
        "a mock does not end the chain: {outcome:?}"
    );
    match exchange.invoker {
        Invoker::Mock(response) => *response,
        Invoker::Endpoint => panic!("the endpoint would be called"),
    }
}

#[test]
fn the_example_of_the_readme_runs() {
    let response = mocked(&example(include_str!("README.md")));
    assert_eq!(response.status, 201);
    assert_eq!(response.headers["x-page"], "2");
    assert_eq!(response.headers[CONTENT_TYPE], "application/json");
    assert_eq!(response.content, r#"{"path": "/items"}"#);
}

#[test]
fn nothing_configured_is_an_empty_200() {
    for configuration in [
        json!({}),
        json!({"status": null, "headers": null, "content": null}),
    ] {
        let response = mocked(&configuration);
        assert_eq!(response.status, 200);
        assert!(response.content.is_empty() && response.headers.is_empty());
    }
}

#[test]
fn the_content_type_is_guessed_unless_it_is_set() {
    for (content, expected) in [
        (" [1]", "application/json"),
        ("<!DOCTYPE html><p>", "text/html"),
        ("<HTML>", "text/html"),
        ("<a/>", "application/xml"),
        ("hello", "text/plain"),
        ("{('<a/>')}", "application/xml"),
    ] {
        let response = mocked(&json!({"content": content}));
        assert_eq!(response.headers[CONTENT_TYPE], expected, "{content}");
    }
    let headers = json!([{"name": "content-type", "value": "a/b"}]);
    let response = mocked(&json!({"content": "{}", "headers": headers}));
    assert_eq!(response.headers[CONTENT_TYPE], "a/b");
}

#[test]
fn an_expression_that_fails_gives_500() {
    let configuration = json!({"content": "{#nothing.name}"});
    let outcome = run("mock", &configuration, Phase::Request, &mut exchange());
    assert!(matches!(outcome, Outcome::Fail(failure) if failure.status == 500));
}

#[test]
fn a_mock_that_reads_the_body_needs_it() {
    use tidegate_policy::{CompileContext, PolicyKind};
    let config = serde_json::from_value(json!({"content": "{#request.content}"})).unwrap();
    let ctx = CompileContext {
        phase: Phase::Request,
        environment: "",
        api: "",
        files: None,
    };
    assert!(
        super::Mock::compile(config, &ctx)
            .unwrap()
            .needs
            .request_content
    );
}

#[test]
fn wrong_configuration_is_refused_with_its_place() {
    for (configuration, path) in [
        (json!({"status": 99}), "status"),
        (json!({"status": "2oo"}), "status"),
        (json!({"content": "{#a +}"}), "content"),
        (
            json!({"headers": [{"name": ""}, {"name": "a b"}]}),
            "headers[1].name",
        ),
    ] {
        assert_eq!(
            refusal("mock", &configuration).path,
            path,
            "{configuration}"
        );
    }
}
