//! The transformed body, its content type, and failures.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use serde_json::{Value, json};
use tidegate_policy::{CompileContext, Exchange, Outcome, Phase, PolicyKind};

use crate::testing::{example, exchange, refusal, run};

const NAME: &str = "json-to-json";

fn of(body: &str, content_type: Option<&str>) -> Exchange {
    let mut exchange = exchange();
    exchange
        .request
        .content
        .set(Bytes::copy_from_slice(body.as_bytes()));
    exchange
        .response
        .content
        .set(Bytes::copy_from_slice(body.as_bytes()));
    for headers in [
        &mut exchange.request.headers,
        &mut exchange.response.headers,
    ] {
        if let Some(content_type) = content_type {
            headers.insert(CONTENT_TYPE, content_type.parse().unwrap());
        }
    }
    exchange
}

fn rename() -> Value {
    json!({"specification": r#"[{"operation": "shift", "spec": {"a": "b"}}]"#})
}

#[test]
fn the_example_of_the_readme_runs() {
    let mut exchange = of(r#"{"_id": 7, "user": {"name": "Ada"}, "secret": 1}"#, None);
    let configuration = example(include_str!("README.md"));
    assert!(run(NAME, &configuration, Phase::Response, &mut exchange).is_continue());
    let body: Value = serde_json::from_slice(exchange.response.content.bytes().unwrap()).unwrap();
    assert_eq!(body, json!({"id": 7, "name": "Ada", "tenant": "acme"}));
    assert_eq!(exchange.response.headers[CONTENT_TYPE], "application/json");
}

#[test]
fn only_json_is_transformed() {
    for (content_type, expected) in [
        (None, r#"{"b":1}"#),
        (Some("application/json; charset=utf-8"), r#"{"b":1}"#),
        (Some("application/hal+json"), r#"{"b":1}"#),
        (Some("text/plain"), r#"{"a":1}"#),
    ] {
        let mut exchange = of(r#"{"a":1}"#, content_type);
        assert!(run(NAME, &rename(), Phase::Request, &mut exchange).is_continue());
        assert_eq!(
            exchange.request.content.bytes().unwrap(),
            expected,
            "{content_type:?}"
        );
    }
    let mut exchange = of("", None);
    assert!(run(NAME, &rename(), Phase::Request, &mut exchange).is_continue());
    assert_eq!(exchange.request.content.bytes().unwrap(), "");
}

#[test]
fn the_content_type_can_be_kept() {
    let mut configuration = rename();
    configuration["overrideContentType"] = json!(false);
    let mut exchange = of(r#"{"a":1}"#, Some("application/hal+json"));
    assert!(run(NAME, &configuration, Phase::Request, &mut exchange).is_continue());
    assert_eq!(
        exchange.request.headers[CONTENT_TYPE],
        "application/hal+json"
    );
}

#[test]
fn a_body_or_specification_that_does_not_do_fails_with_the_key() {
    for (specification, body) in [
        (r#"[{"operation": "shift", "spec": {"a": "b"}}]"#, "{"),
        (r#"[{"operation": "default", "spec": {"a": "b"}}]"#, "[1]"),
        ("{#request.params['page'][0]}", "{}"),
        ("{#nothing.name}", "{}"),
    ] {
        let configuration = json!({"specification": specification});
        let outcome = run(NAME, &configuration, Phase::Response, &mut of(body, None));
        let Outcome::Fail(failure) = outcome else {
            panic!("{specification} did not fail");
        };
        assert_eq!(failure.status, 500);
        assert_eq!(failure.key.as_deref(), Some(super::FAILURE_KEY));
    }
}

#[test]
fn the_body_of_the_own_phase_is_needed() {
    for phase in [Phase::Request, Phase::Response] {
        let ctx = CompileContext {
            phase,
            environment: "",
            api: "",
            files: None,
        };
        let config = serde_json::from_value(rename()).unwrap();
        let needs = super::JsonToJson::compile(config, &ctx).unwrap().needs;
        assert_eq!(needs.request_content, phase == Phase::Request);
        assert_eq!(needs.response_content, phase == Phase::Response);
    }
}

#[test]
fn wrong_configuration_is_refused_with_its_place() {
    for (specification, path) in [
        (json!("[{"), "specification"),
        (json!("{#a +}"), "specification"),
        (
            json!(r#"[{"operation": "fly"}]"#),
            "specification[0].operation",
        ),
        (json!([]), "specification"),
    ] {
        let configuration = json!({"specification": specification});
        assert_eq!(refusal(NAME, &configuration).path, path, "{configuration}");
    }
}
