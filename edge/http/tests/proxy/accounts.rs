//! Metrics and the access log of served requests.

use serde_json::{Value, json};
use tidegate_edge_http::GatewaySettings;

use crate::{
    client::{get, send},
    definition::{api, key_plan, object, snapshot, subscription},
    edge::{Edge, LogFile},
    upstream::Upstream,
};

#[test]
fn every_request_is_counted_and_logged_without_its_key() {
    let (log, file) = LogFile::start();
    let upstream = Upstream::echo("a");
    let mut definition = api("api", "/a", &[&format!("{}/base", upstream.url())]);
    definition["plans"] = json!([key_plan("gold")]);
    let known = subscription("sub", "api", "gold", "secret");
    let configuration = snapshot(1, vec![object(definition)], vec![known]);
    let edge = Edge::with(&configuration, GatewaySettings::default(), Some(log));
    let answer = get(edge.address, "/a/x?api-key=secret", &[]);
    get(edge.address, "/a/x", &[("X-Gravitee-Api-Key", "wrong")]);
    get(edge.address, "/nowhere?api-key=secret", &[]);

    let text = edge.scrape();
    for line in [
        r#"tidegate_edge_http_requests_total{api="api",status="2xx"} 1"#,
        r#"tidegate_edge_http_requests_total{api="api",status="4xx"} 1"#,
        r#"tidegate_edge_http_requests_total{api="_none",status="4xx"} 1"#,
    ] {
        assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
    }

    let text = file.text(edge);
    assert!(
        !text.contains("secret") && !text.contains("wrong"),
        "{text}"
    );
    let records: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(records.len(), 3, "{text}");
    let served = &records[0];
    for (member, expected) in [
        ("api-id", json!("api")),
        ("plan-id", json!("gold")),
        ("application-id", json!("app")),
        ("subscription-id", json!("sub")),
        ("security-type", json!("API_KEY")),
        ("uri", json!("/a/x")),
        ("http-method", json!("GET")),
        ("status", json!(200)),
        ("remote-address", json!("127.0.0.1")),
        ("endpoint", json!(format!("{}/base/x", upstream.url()))),
        ("response-content-length", json!(answer.body.len())),
        ("gateway", json!("edge-1")),
    ] {
        assert_eq!(served[member], expected, "{member} of {served}");
    }
    assert_eq!(records[1]["error-key"], "GATEWAY_PLAN_UNRESOLVABLE");
    assert_eq!(records[2]["status"], 404);
}

#[test]
fn messages_are_logged_as_the_definition_says_and_never_with_credentials() {
    let (log, file) = LogFile::start();
    let upstream = Upstream::echo("a");
    let mut definition = api("api", "/a", &[&upstream.url()]);
    definition["listeners"][0]["pathMappings"] = json!(["/orders/:id"]);
    definition["analytics"] = json!({"enabled": true, "logging": {
        "condition": "{#request.headers['X-Log'] != null}",
        "mode": {"entrypoint": true, "endpoint": true},
        "phase": {"request": true, "response": true},
        "content": {"headers": true, "payload": true}}});
    let edge = Edge::with(
        &snapshot(1, vec![object(definition)], vec![]),
        GatewaySettings::default(),
        Some(log),
    );
    let fields = [("X-Log", "yes"), ("Authorization", "Bearer secret")];
    let answer = send(
        edge.address,
        "POST",
        "/a/orders/7?token=secret",
        &fields,
        "hello",
    );
    assert_eq!(answer.status, 200);
    get(edge.address, "/a/orders/8", &[]);
    let records = file.records(edge);
    let logged = &records[0];
    assert_eq!(logged["mapped-path"], "/orders/:id");
    let log = &logged["log"];
    assert_eq!(log["entrypoint-request"]["method"], "POST");
    assert_eq!(log["entrypoint-request"]["uri"], "/a/orders/7");
    assert_eq!(log["entrypoint-request"]["body"], "hello");
    assert_eq!(
        log["entrypoint-request"]["headers"]["authorization"],
        json!(["*****"])
    );
    assert_eq!(log["endpoint-request"]["uri"], "/orders/7");
    assert_eq!(log["endpoint-request"]["body"], "hello");
    assert_eq!(log["endpoint-response"]["status"], 200);
    assert_eq!(
        log["entrypoint-response"]["headers"]["x-upstream"],
        json!(["a"])
    );
    assert_eq!(log["entrypoint-response"]["body"], answer.body.as_str());
    assert!(records[1].get("log").is_none(), "{}", records[1]);
}

#[test]
fn an_api_without_analytics_leaves_no_record() {
    let (log, file) = LogFile::start();
    let upstream = Upstream::echo("a");
    let mut silent = api("silent", "/s", &[&upstream.url()]);
    silent["analytics"] = json!({"enabled": false});
    let apis = vec![
        object(silent),
        object(api("told", "/t", &[&upstream.url()])),
    ];
    let edge = Edge::with(
        &snapshot(1, apis, vec![]),
        GatewaySettings::default(),
        Some(log),
    );
    for path in ["/s", "/t", "/nowhere"] {
        get(edge.address, path, &[]);
    }
    let records = file.records(edge);
    let ids: Vec<_> = records.iter().map(|record| &record["api-id"]).collect();
    assert_eq!(ids, [&json!("told"), &json!("1")], "an unknown API is 1");
}
