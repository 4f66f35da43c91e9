//! Cross-origin rules, from a definition to what a browser gets.

use serde_json::{Value, json};

use crate::{
    client::{Answer, get, send},
    definition::{add_header, api, flow, key_plan},
    edge::Edge,
    upstream::Upstream,
};

const ORIGIN: (&str, &str) = ("Origin", "https://mydomain.com");

fn definition(upstream: &Upstream, runs_policies: bool) -> Value {
    let mut definition = api("api", "/", &[&upstream.url()]);
    definition["listeners"][0]["cors"] = json!({
        "enabled": true, "allowCredentials": true, "allowHeaders": ["x-gravitee-test"],
        "allowMethods": ["GET", "POST"], "allowOrigin": ["https://mydomain.com"],
        "exposeHeaders": ["X-Seen"], "maxAge": 5, "runPolicies": runs_policies
    });
    definition["plans"] = json!([key_plan("keys")]);
    let steps = json!([add_header("X-Flow", "ran")]);
    definition["flows"] = json!([flow("/", "STARTS_WITH", &json!([]), &steps)]);
    definition
}

fn preflight(edge: &Edge, method: &str, extra: &[(&str, &str)]) -> Answer {
    let mut fields = vec![ORIGIN, ("Access-Control-Request-Method", method)];
    fields.extend_from_slice(extra);
    send(edge.address, "OPTIONS", "/x", &fields, "")
}

#[test]
fn a_preflight_needs_no_plan_and_never_reaches_the_endpoint() {
    let upstream = Upstream::echo("a");
    for (runs_policies, flow) in [(false, None), (true, Some("ran"))] {
        let edge = Edge::serving(vec![definition(&upstream, runs_policies)]);
        let answer = preflight(&edge, "GET", &[]);
        assert_eq!(answer.status, 200, "{answer:?}");
        for (name, value) in [
            ("access-control-allow-origin", Some("https://mydomain.com")),
            ("access-control-allow-credentials", Some("true")),
            ("access-control-allow-methods", Some("GET, POST")),
            ("access-control-allow-headers", Some("x-gravitee-test")),
            ("access-control-max-age", Some("5")),
            ("content-length", Some("0")),
            ("x-flow", flow),
            ("x-upstream", None),
        ] {
            assert_eq!(answer.header(name), value, "{name} {runs_policies}");
        }
    }
}

#[test]
fn a_refused_preflight_has_its_key_for_templates() {
    let upstream = Upstream::echo("a");
    let mut templated = definition(&upstream, true);
    let plain = Edge::serving(vec![templated.clone()]);
    templated["responseTemplates"] = json!({"CORS_PREFLIGHT_FAILED":
        {"*/*": {"status": 412, "body": "Custom CORS error message"}}});
    let templated = Edge::serving(vec![templated]);
    for (method, headers) in [("PUT", "x-gravitee-test"), ("GET", "x-other")] {
        let extra = [("Access-Control-Request-Headers", headers)];
        let answer = preflight(&plain, method, &extra);
        assert_eq!((answer.status, answer.body.as_str()), (400, ""), "{method}");
        assert_eq!(answer.header("access-control-allow-origin"), None);
        let answer = preflight(&templated, method, &extra);
        assert_eq!(answer.status, 412);
        assert_eq!(answer.body, "Custom CORS error message");
    }
}

#[test]
fn every_other_answer_tells_scripts_of_allowed_origins_that_they_may_read_it() {
    let upstream = Upstream::echo("a");
    let edge = Edge::serving(vec![definition(&upstream, false)]);
    // 401: an error must be readable too.
    let answer = get(edge.address, "/x", &[ORIGIN]);
    assert_eq!(answer.status, 401);
    assert_eq!(answer.header("access-control-allow-origin"), Some(ORIGIN.1));
    assert_eq!(
        answer.header("access-control-expose-headers"),
        Some("X-Seen")
    );
    let answer = get(edge.address, "/x", &[("Origin", "https://evil.test")]);
    assert_eq!(answer.header("access-control-allow-origin"), None);
}

#[test]
fn a_mapped_path_is_an_attribute() {
    let upstream = Upstream::echo("a");
    let mut definition = api("api", "/mapped/", &[&upstream.url()]);
    definition["listeners"][0]["pathMappings"] = json!(["/test/:testId"]);
    definition["flows"] = json!([flow(
        "/",
        "STARTS_WITH",
        &json!([
        {"policy": "mock", "enabled": true, "configuration": {"status": "200", "headers": [],
         "content": "{#context.attributes['mapped-path']}"}}]),
        &json!([])
    )]);
    let edge = Edge::serving(vec![definition]);
    assert_eq!(
        get(edge.address, "/mapped/test/7", &[]).body,
        "/test/:testId"
    );
    assert_eq!(get(edge.address, "/mapped/other", &[]).body, "");
}
