//! Flows, policies, conditions and bodies in memory.

use serde_json::json;

use crate::{
    client::{get, send},
    definition::{add_header, api, flow, object, snapshot},
    edge::Edge,
    upstream::Upstream,
};

#[test]
fn plan_flows_run_before_api_flows_on_both_messages() {
    let upstream = Upstream::echo("a");
    let mut definition = api("api", "/", &[&upstream.url()]);
    let steps = |value: &str| json!([add_header("X-Order", value)]);
    definition["plans"][0]["flows"] =
        json!([flow("/", "STARTS_WITH", &steps("plan"), &steps("plan"))]);
    definition["flows"] = json!([
        flow(
            "/",
            "STARTS_WITH",
            &json!([add_header("X-Plan", "{#request.headers['X-Order'][0]}")]),
            &json!([add_header("X-Plan", "{#response.headers['X-Order'][0]}")])
        ),
        flow("/other", "STARTS_WITH", &steps("other"), &steps("other")),
    ]);
    let edge = Edge::serving(vec![definition]);
    let answer = get(edge.address, "/x", &[]);
    assert!(answer.body.contains("x-plan: plan"), "{answer:?}");
    assert!(!answer.body.contains("other"), "{answer:?}");
    assert_eq!(answer.header("x-plan"), Some("plan"));
}

#[test]
fn best_match_runs_one_flow_and_path_parameters_are_known() {
    let upstream = Upstream::echo("a");
    let mut definition = api("api", "/", &[&upstream.url()]);
    let tag = |name: &str| json!([add_header("X-Flow", name)]);
    definition["flowExecution"] = json!({"mode": "best-match", "matchRequired": true});
    definition["flows"] = json!([
        flow("/orders", "STARTS_WITH", &tag("all"), &json!([])),
        flow(
            "/orders/:id",
            "STARTS_WITH",
            &tag("one-{#request.pathParams['id'][0]}"),
            &json!([])
        ),
        flow("/orders/special", "EQUALS", &tag("special"), &json!([])),
    ]);
    let edge = Edge::serving(vec![definition]);
    for (path, expected) in [
        ("/orders", "all"),
        ("/orders/7", "one-7"),
        ("/orders/special", "special"),
    ] {
        let seen = get(edge.address, path, &[]).body;
        assert!(
            seen.contains(&format!("x-flow: {expected}\r\n")),
            "{path}: {seen}"
        );
        assert_eq!(seen.matches("x-flow").count(), 1, "{path}: {seen}");
    }
    assert_eq!(get(edge.address, "/nothing", &[]).status, 404);
}

#[test]
fn a_condition_chooses_once_for_both_messages() {
    let upstream = Upstream::echo("a");
    let mut definition = api("api", "/", &[&upstream.url()]);
    definition["flows"] = json!([{
        "name": "conditional", "enabled": true,
        "selectors": [{"type": "condition", "condition": "{#request.headers['X-On'][0] == 'yes'}"}],
        "request": [{"policy": "transform-headers", "enabled": true,
                     "configuration": {"removeHeaders": ["X-On"]}}],
        "response": [add_header("X-Ran", "1")],
    }]);
    let edge = Edge::serving(vec![definition]);
    assert_eq!(
        get(edge.address, "/", &[("X-On", "yes")]).header("x-ran"),
        Some("1")
    );
    assert_eq!(
        get(edge.address, "/", &[("X-On", "no")]).header("x-ran"),
        None
    );
    assert_eq!(get(edge.address, "/", &[]).header("x-ran"), None);
}

#[test]
fn a_mock_answers_instead_of_the_endpoint() {
    let upstream = Upstream::echo("a");
    let mut definition = api("api", "/", &[&upstream.url()]);
    let mock = json!({"policy": "mock", "enabled": true, "configuration": {
        "status": "201", "content": "made up", "headers": [{"name": "X-Mock", "value": "1"}]}});
    definition["flows"] = json!([flow(
        "/",
        "STARTS_WITH",
        &json!([mock]),
        &json!([add_header("X-After", "1")])
    )]);
    let edge = Edge::serving(vec![definition]);
    let answer = get(edge.address, "/", &[]);
    assert_eq!((answer.status, answer.body.as_str()), (201, "made up"));
    assert_eq!(
        (answer.header("x-mock"), answer.header("x-after")),
        (Some("1"), Some("1"))
    );
    let head = send(edge.address, "HEAD", "/", &[], "");
    assert_eq!((head.status, head.body.as_str()), (201, ""));
    assert_eq!(upstream.served(), 0);
}

#[test]
fn a_step_that_reads_the_body_gets_it_and_the_endpoint_too() {
    let upstream = Upstream::echo("a");
    let mut definition = api("api", "/", &[&upstream.url()]);
    definition["flows"] = json!([flow(
        "/",
        "STARTS_WITH",
        &json!([add_header("X-Seen", "{#request.content}")]),
        &json!([add_header("X-Length", "{#response.content.length()}")])
    )]);
    let settings = tidegate_edge_http::GatewaySettings {
        content_bytes_max: 1024,
        ..Default::default()
    };
    let edge = Edge::with(
        &snapshot(1, vec![object(definition)], vec![]),
        settings,
        None,
    );
    let answer = send(edge.address, "POST", "/", &[], "hello");
    assert!(answer.body.contains("x-seen: hello\r\n"), "{answer:?}");
    assert!(answer.body.ends_with("\r\n\r\nhello"), "{answer:?}");
    assert_eq!(
        answer.header("x-length"),
        Some(answer.body.len().to_string().as_str())
    );
    let answer = send(edge.address, "POST", "/", &[], &"x".repeat(2000));
    assert_eq!(answer.status, 413);
}

#[test]
fn response_steps_and_errors_after_the_call_still_know_the_request() {
    let upstream = Upstream::echo("a");
    let mut definition = api("api", "/", &[&upstream.url()]);
    let asked = "{#request.headers['X-Asked'][0]} {#request.content}";
    definition["flows"] = json!([flow(
        "/",
        "STARTS_WITH",
        &json!([]),
        &json!([add_header("X-Echo", asked)])
    )]);
    let edge = Edge::serving(vec![definition]);
    let answer = send(edge.address, "POST", "/x", &[("x-asked", "me")], "body");
    assert_eq!(answer.header("x-echo"), Some("me body"), "{answer:?}");
}
