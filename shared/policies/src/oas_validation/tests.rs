//! Paths, parameters, bodies, responses and sources.

use std::rc::Rc;

use http::uri::PathAndQuery;
use http::{HeaderValue, Method, StatusCode};
use serde_json::{Value, json};
use tidegate_policy::{Exchange, Outcome, Phase, Query, RequestPath};

use crate::fakes::FakeHttp;
use crate::registry::find;
use crate::testing::{example, exchange, failure, refusal, run, run_with, services};

fn readme() -> Value {
    example(include_str!("README.md"))
}

fn request(method: &str, target: &'static str) -> Exchange {
    let mut exchange = exchange();
    let target = PathAndQuery::from_static(target);
    exchange.request.method = method.parse::<Method>().unwrap();
    exchange.request.query = Query::new(target.query());
    exchange.request.path = RequestPath::new(target, "/shop/".into());
    exchange
}

fn with_body(mut exchange: Exchange, content_type: &'static str, body: &'static str) -> Exchange {
    let content_type = HeaderValue::from_static(content_type);
    exchange
        .request
        .headers
        .insert("content-type", content_type);
    exchange.request.content.set(body.into());
    exchange
}

/// The first finding of the report, or nothing.
fn finding(outcome: Outcome) -> Option<String> {
    if outcome.is_continue() {
        return None;
    }
    let failure = failure(outcome);
    assert_eq!(failure.status, 400);
    assert_eq!(failure.key.as_deref(), Some("OAS_VALIDATION_ERROR"));
    let report: Value = serde_json::from_str(&failure.message.unwrap()).unwrap();
    Some(report["errors"][0].as_str().unwrap().to_owned())
}

#[test]
fn paths_and_parameters_are_held_against_the_example_of_the_readme() {
    let cookie = |value: &'static str| {
        let mut exchange = request("GET", "/shop/items/7");
        let value = HeaderValue::from_static(value);
        exchange.request.headers.insert("cookie", value);
        exchange
    };
    for (exchange, begin) in [
        (request("GET", "/shop/items?page=2"), None),
        (
            request("GET", "/shop/items"),
            Some("query parameter page: required"),
        ),
        (
            request("GET", "/shop/items?page=0"),
            Some("query parameter page: "),
        ),
        (
            request("GET", "/shop/items?page=two"),
            Some("query parameter page: "),
        ),
        (
            request("GET", "/shop/items?page=1&x=1"),
            Some("query parameter x: not described"),
        ),
        (
            request("GET", "/shop/items/"),
            Some("GET /items/: not described"),
        ),
        (
            request("PUT", "/shop/items"),
            Some("PUT /items: not described"),
        ),
        (request("GET", "/shop/items/7?tags=a&tags=b"), None),
        (
            request("GET", "/shop/items/7?tags=a&tags=long"),
            Some("query parameter tags/1: "),
        ),
        (
            request("GET", "/shop/items/seven"),
            Some("path parameter id: "),
        ),
        (cookie("a=b; seen=true"), None),
        (cookie("seen=maybe"), Some("cookie parameter seen: ")),
    ] {
        holds(exchange, begin);
    }
}

#[test]
fn bodies_are_held_against_the_example_of_the_readme() {
    let json = "application/json";
    let post = || request("POST", "/shop/items");
    for (exchange, begin) in [
        (
            with_body(post(), json, r#"{"name": "a", "price": 1}"#),
            None,
        ),
        (with_body(post(), json, r#"{"name": null}"#), None),
        (
            with_body(post(), json, r#"{"name": 1}"#),
            Some("body/name: "),
        ),
        (
            with_body(post(), json, r#"{"name": "a", "price": 0}"#),
            Some("body/price: "),
        ),
        (with_body(post(), json, "{}"), Some("body: ")),
        (with_body(post(), json, "{"), Some("body: not JSON")),
        (
            with_body(post(), "text/plain", "a"),
            Some("content type \"text/plain\""),
        ),
        (post(), Some("body: required")),
    ] {
        holds(exchange, begin);
    }
}

/// Runs the example and compares the first finding.
fn holds(mut exchange: Exchange, begin: Option<&str>) {
    let target = exchange.request.path.uri().to_owned();
    let outcome = run("oas-validation", &readme(), Phase::Request, &mut exchange);
    let found = finding(outcome);
    match (&found, begin) {
        (None, None) => {}
        (Some(found), Some(begin)) if found.starts_with(begin) => {}
        _ => panic!("{target}: {found:?} instead of {begin:?}"),
    }
}

#[test]
fn values_stay_out_of_reports() {
    let body = r#"{"name": ["secret"]}"#;
    let mut exchange = with_body(request("POST", "/shop/items"), "application/json", body);
    let outcome = run("oas-validation", &readme(), Phase::Request, &mut exchange);
    let failure = failure(outcome);
    assert!(!failure.message.unwrap().contains("secret"));
    assert!(!failure.cause.unwrap().contains("secret"));
}

#[test]
fn responses_are_held_against_status_type_and_schema() {
    for (method, status, body, is_good) in [
        ("POST", 201, r#"{"name": "a"}"#, true),
        ("POST", 201, "{}", false),
        ("POST", 404, "", false),
        ("GET", 200, "", true),
    ] {
        let mut exchange = request(method, "/shop/items?page=1");
        let response = &mut exchange.response;
        response.status = StatusCode::from_u16(status).unwrap();
        let json = HeaderValue::from_static("application/json");
        response.headers.insert("content-type", json);
        response.content.set(body.into());
        let outcome = run("oas-validation", &readme(), Phase::Response, &mut exchange);
        assert_eq!(outcome.is_continue(), is_good, "{method} {status} {body}");
        if let Outcome::Fail(failure) = outcome {
            assert_eq!(failure.status, 500);
            let message = "Response does not match the OpenAPI Specification";
            assert_eq!(failure.message.as_deref(), Some(message));
        }
    }
}

#[test]
fn options_turn_checks_off() {
    for (option, value, target) in [
        ("validateRequestPathAndMethod", json!(false), "/shop/none"),
        ("validateRequestParameters", json!(false), "/shop/items"),
        ("validateRequestParametersOptions", json!([]), "/shop/items"),
        (
            "strictOperationPathMatching",
            json!(false),
            "/shop/items/?page=1",
        ),
        ("logInsteadOfThrowError", json!(true), "/shop/none"),
    ] {
        let mut configuration = readme();
        configuration["validationOptions"] = json!({option: value});
        let mut exchange = request("GET", target);
        let outcome = run(
            "oas-validation",
            &configuration,
            Phase::Request,
            &mut exchange,
        );
        assert!(outcome.is_continue(), "{option}: {outcome:?}");
    }
    let mut configuration = readme();
    configuration["basePath"] = json!("/shop/v1/");
    let mut exchange = request("GET", "/shop/v1/items?page=1");
    let outcome = run(
        "oas-validation",
        &configuration,
        Phase::Request,
        &mut exchange,
    );
    assert!(outcome.is_continue(), "{outcome:?}");
}

#[test]
fn a_description_behind_a_url_is_fetched_once_and_failures_are_named() {
    let yaml = readme()["sourceYaml"].as_str().unwrap().to_owned();
    for (http, key) in [
        (FakeHttp::answering(200, &[], &yaml), None),
        (FakeHttp::answering(404, &[], ""), Some("NO_OAS_PROVIDED")),
        (
            FakeHttp::answering(200, &[], "swagger: '2.0'"),
            Some("UNABLE_TO_LOAD_OAS_KEY"),
        ),
    ] {
        let mut services = services();
        services.http = Rc::<FakeHttp>::clone(&http);
        let configuration = json!({"sourceUrl": "http://a/openapi.yaml"});
        let chain = crate::testing::chain("oas-validation", &configuration, Phase::Request);
        for _ in 0..2 {
            let mut exchange = request("GET", "/shop/items?page=1");
            let run = chain.run(Phase::Request, &mut exchange, &services);
            match (futures::executor::block_on(run), key) {
                (Outcome::Continue, None) => {}
                (Outcome::Fail(failure), Some(key)) => {
                    assert_eq!(failure.key.as_deref(), Some(key));
                }
                (outcome, _) => panic!("{outcome:?}"),
            }
        }
        assert_eq!(http.calls().len(), if key.is_none() { 1 } else { 2 });
    }
    let outcome = run_with(
        "oas-validation",
        &json!({"resourceName": "none"}),
        Phase::Request,
        &mut exchange(),
        &services(),
    );
    assert_eq!(failure(outcome).key.as_deref(), Some("NO_OAS_RESOURCE"));
}

#[test]
fn newer_descriptions_have_newer_schemas() {
    let description = json!({"openapi": "3.1.0", "paths": {"/items": {"post": {
        "requestBody": {"content": {"application/json": {"schema": {
            "type": ["object", "null"], "properties": {"n": {"exclusiveMinimum": 3}}}}}},
        "responses": {"default": {"description": ""}}}}}});
    let configuration = json!({"sourceJson": description.to_string()});
    for (body, is_good) in [
        ("null", true),
        (r#"{"n": 4}"#, true),
        (r#"{"n": 3}"#, false),
    ] {
        let mut exchange = with_body(request("POST", "/shop/items"), "application/json", body);
        let outcome = run(
            "oas-validation",
            &configuration,
            Phase::Request,
            &mut exchange,
        );
        assert_eq!(outcome.is_continue(), is_good, "{body}");
    }
}

#[test]
fn security_schemes_keep_from_deploying() {
    let mut configuration = readme();
    let policy = find("oas-validation").unwrap();
    assert!(policy.undeployable(&configuration).is_none());
    configuration["validationOptions"]["validateRequestSecurity"] = json!(true);
    let found = policy.undeployable(&configuration).unwrap();
    assert_eq!(found.path, "validationOptions.validateRequestSecurity");
}

#[test]
fn wrong_configuration_is_refused_with_its_place() {
    let looped = json!({"openapi": "3.0.0", "paths": {"/a": {"$ref": "#/paths/~1a"}}});
    let missing = json!({"openapi": "3.0.0", "paths": {"/a": {"get": {
        "parameters": [{"$ref": "#/components/parameters/none"}]}}}});
    let wrong = json!({"openapi": "3.1.0", "paths": {"/a": {"get": {
        "parameters": [{"name": "a", "in": "query", "schema": {"type": "whole"}}]}}}});
    for (configuration, path) in [
        (json!({}), ""),
        (json!({"sourceYaml": "a: ["}), "sourceYaml"),
        (json!({"sourceYaml": "swagger: '2.0'"}), "sourceYaml"),
        (json!({"sourceJson": looped.to_string()}), "sourceJson"),
        (json!({"sourceJson": missing.to_string()}), "sourceJson"),
        (json!({"sourceJson": wrong.to_string()}), "sourceJson"),
        (json!({"sourceUrl": "openapi.yaml"}), "sourceUrl"),
    ] {
        let found = refusal("oas-validation", &configuration);
        assert_eq!(found.path, path, "{configuration}");
    }
}
