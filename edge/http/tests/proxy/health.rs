//! Health checks: endpoints that are down get no requests, secondaries take over, recovery is noticed.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use serde_json::{Value, json};

use crate::{client::get, definition::api, edge::Edge, upstream::Upstream};

/// An upstream with a health page that can be switched to failing.
fn switchable(name: &'static str) -> (Upstream, Arc<AtomicBool>) {
    let is_sick = Arc::new(AtomicBool::new(false));
    let switch = Arc::clone(&is_sick);
    let upstream = Upstream::answering(move |received| {
        let is_check = received.head.starts_with("GET /health?deep=1 ");
        let status = if is_check && switch.load(Ordering::Relaxed) {
            "503 Service Unavailable"
        } else {
            "200 OK"
        };
        format!("HTTP/1.1 {status}\r\nx-upstream: {name}\r\ncontent-length: 0\r\n\r\n")
    });
    (upstream, is_sick)
}

fn checked(targets: &[&str]) -> Value {
    let mut api = api("a", "/a", targets);
    api["endpointGroups"][0]["services"] = json!({"healthCheck": {
        "type": "http-health-check", "enabled": true,
        "configuration": {"schedule": "* * * * * *", "target": "/health?deep=1",
                          "successThreshold": 1, "failureThreshold": 1,
                          "headers": [{"name": "x-check", "value": "yes"}]}}});
    api
}

fn up(endpoint: &str, value: u8) -> String {
    let labels = format!("api=\"a\",group=\"default\",endpoint=\"{endpoint}\"");
    format!("tidegate_edge_endpoint_up{{{labels}}} {value}")
}

#[test]
fn an_endpoint_that_is_down_gets_no_requests_until_it_recovers() {
    let (sick, is_sick) = switchable("sick");
    let (sound, _) = switchable("sound");
    let edge = Edge::serving(vec![checked(&[&sick.url(), &sound.url()])]);
    is_sick.store(true, Ordering::Relaxed);
    edge.wait_for(&up("e0", 0));
    edge.wait_for(&up("e1", 1));
    for _ in 0..4 {
        let answer = get(edge.address, "/a", &[]);
        assert_eq!(answer.header("x-upstream"), Some("sound"));
    }
    let named = get(edge.address, "/a", &[]);
    assert_eq!(named.status, 200);
    is_sick.store(false, Ordering::Relaxed);
    edge.wait_for(&up("e0", 1));
    let answers: Vec<_> = (0..2).map(|_| get(edge.address, "/a", &[])).collect();
    let from_sick = |answer: &&crate::client::Answer| answer.header("x-upstream") == Some("sick");
    assert_eq!(answers.iter().filter(from_sick).count(), 1);
}

#[test]
fn secondaries_take_over_and_nobody_left_is_a_503() {
    let (primary, is_primary_sick) = switchable("primary");
    let (secondary, is_secondary_sick) = switchable("secondary");
    let mut api = checked(&[&primary.url(), &secondary.url()]);
    api["endpointGroups"][0]["endpoints"][1]["secondary"] = json!(true);
    let edge = Edge::serving(vec![api]);
    let answered = || get(edge.address, "/a", &[]);
    assert_eq!(answered().header("x-upstream"), Some("primary"));
    is_primary_sick.store(true, Ordering::Relaxed);
    edge.wait_for(&up("e0", 0));
    assert_eq!(answered().header("x-upstream"), Some("secondary"));
    is_secondary_sick.store(true, Ordering::Relaxed);
    edge.wait_for(&up("e1", 0));
    assert_eq!(answered().status, 503);
}
