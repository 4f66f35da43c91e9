//! Metrics and the access log of served requests.

use serde_json::{Value, json};
use tidegate_edge_http::GatewaySettings;

use crate::{
    client::get,
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
