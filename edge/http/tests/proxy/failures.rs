//! What clients are told when something fails.

use std::{
    net::{Ipv4Addr, TcpListener},
    thread,
    time::Duration,
};

use serde_json::json;
use tidegate_edge_http::GatewaySettings;

use crate::{
    client::get,
    definition::{add_header, api, key_plan, object, snapshot},
    edge::Edge,
    upstream::Upstream,
};

#[test]
fn the_body_of_an_error_follows_accept() {
    let mut definition = api("api", "/", &["http://127.0.0.1:1"]);
    definition["plans"] = json!([key_plan("gold")]);
    let edge = Edge::serving(vec![definition]);
    let json = r#"{"message":"Unauthorized","http_status_code":401}"#;
    for (accept, content_type, body) in [
        (None, "text/plain", "Unauthorized"),
        (Some("text/html"), "text/plain", "Unauthorized"),
        (Some("application/json"), "application/json", json),
        (Some("text/html, */*;q=0.1"), "application/json", json),
    ] {
        let fields: Vec<(&str, &str)> = accept
            .map(|accept| ("Accept", accept))
            .into_iter()
            .collect();
        let answer = get(edge.address, "/", &fields);
        assert_eq!(answer.status, 401);
        assert_eq!(answer.body, body, "{accept:?}");
        assert_eq!(
            answer.header("content-type"),
            Some(content_type),
            "{accept:?}"
        );
    }
}

#[test]
fn the_body_of_an_error_after_the_call_follows_accept_too() {
    let upstream = Upstream::echo("a");
    let with_response_step = |id: &str, path: &str| {
        let mut definition = api(id, path, &[&upstream.url()]);
        let step = json!({"policy": "policy-interrupt", "enabled": true,
            "configuration": {"errorKey": "BROKEN", "message": "Broken"}});
        definition["flows"] = json!([{"name": "f", "enabled": true, "response": [step]}]);
        definition
    };
    let plain = with_response_step("plain", "/plain");
    let mut templated = with_response_step("templated", "/templated");
    templated["responseTemplates"] = json!({"BROKEN": {
        "application/json": {"status": 418, "body": "{\"path\":\"{#request.pathInfo}\"}"},
        "*/*": {"status": 419, "body": "{#response.status}"},
    }});
    let edge = Edge::serving(vec![plain, templated]);
    let json = r#"{"message":"Broken","http_status_code":500}"#;
    for (path, accept, expected) in [
        ("/plain", None, (500, "text/plain", "Broken")),
        ("/plain", Some("text/html"), (500, "text/plain", "Broken")),
        (
            "/plain",
            Some("application/json"),
            (500, "application/json", json),
        ),
        (
            "/plain",
            Some("text/html, */*;q=0.1"),
            (500, "application/json", json),
        ),
        (
            "/templated/x",
            Some("application/json"),
            (418, "application/json", r#"{"path":"/x"}"#),
        ),
        ("/templated/x", Some("text/html"), (419, "text/html", "200")),
    ] {
        let fields: Vec<(&str, &str)> = accept
            .map(|accept| ("Accept", accept))
            .into_iter()
            .collect();
        let answer = get(edge.address, path, &fields);
        let found = (
            answer.status,
            answer.header("content-type").unwrap_or_default(),
            answer.body.as_str(),
        );
        assert_eq!(found, expected, "{path} {accept:?}");
    }
    assert_eq!(upstream.served(), 6);
}

#[test]
fn an_endpoint_that_refuses_connections_is_502_and_the_connection_closes() {
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .unwrap()
        .local_addr()
        .unwrap();
    let edge = Edge::serving(vec![api("api", "/", &[&format!("http://{free}")])]);
    let answer = get(edge.address, "/", &[("Accept", "*/*")]);
    assert_eq!((answer.status, answer.body.as_str()), (502, ""));
    assert_eq!(answer.header("connection"), Some("close"));
}

#[test]
fn an_endpoint_that_closes_without_an_answer_is_502() {
    let upstream = Upstream::scripted(|_, _| false);
    let edge = Edge::serving(vec![api("api", "/", &[&upstream.url()])]);
    assert_eq!(get(edge.address, "/", &[]).status, 502);
}

#[test]
fn an_endpoint_that_does_not_answer_in_time_is_504() {
    let upstream = Upstream::scripted(|_, _| {
        thread::sleep(Duration::from_secs(5));
        false
    });
    let mut slow = api("slow", "/read", &[&upstream.url()]);
    slow["endpointGroups"][0]["sharedConfiguration"] = json!({"http": {"readTimeout": 200}});
    let whole = api("whole", "/request", &[&upstream.url()]);
    let settings = GatewaySettings {
        request_timeout: Some(Duration::from_millis(600)),
        ..Default::default()
    };
    let objects = vec![object(slow), object(whole)];
    let edge = Edge::with(&snapshot(1, objects, vec![]), settings, None);
    let answer = get(edge.address, "/read", &[]);
    assert_eq!((answer.status, answer.body.as_str()), (504, ""));
    let answer = get(edge.address, "/request", &[]);
    assert_eq!(
        (answer.status, answer.body.as_str()),
        (504, "Request timeout")
    );
}

#[test]
fn an_api_whose_endpoints_belong_to_other_tenants_is_503() {
    let edge = Edge::serving(vec![api("api", "/", &[])]);
    let answer = get(edge.address, "/", &[("Accept", "application/json")]);
    assert_eq!((answer.status, answer.body.as_str()), (503, ""));
}

#[test]
fn a_failing_step_is_rendered_by_the_apis_template() {
    let upstream = Upstream::echo("a");
    let mut definition = api("api", "/", &[&upstream.url()]);
    let step = add_header("X-A", "{#request.headers['X-Missing'][0].length()}");
    definition["flows"] = json!([{"name": "f", "enabled": true, "request": [step]}]);
    definition["responseTemplates"] = json!({"DEFAULT": {
        "application/json": {"status": 418, "headers": {"X-T": "1"}, "body": "{\"k\":\"{#error.key}\"}"},
        "*/*": {"status": 419, "body": "any"},
    }});
    let edge = Edge::serving(vec![definition]);
    let answer = get(
        edge.address,
        "/",
        &[("Accept", "text/html;q=0.9, application/json")],
    );
    assert_eq!(answer.status, 418, "{answer:?}");
    assert_eq!(answer.body, r#"{"k":"TRANSFORM_HEADERS_FAILURE"}"#);
    assert_eq!(answer.header("x-t"), Some("1"));
    assert_eq!(
        get(edge.address, "/", &[("Accept", "text/html")]).status,
        419
    );
    assert_eq!(upstream.served(), 0);
}
