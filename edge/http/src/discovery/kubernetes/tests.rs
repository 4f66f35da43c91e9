use serde_json::{Value, json};

use super::slices::{Event, Slice, Slices};
use crate::discovery::Instance;

fn slice(name: &str, endpoints: &Value, ports: &Value) -> Slice {
    let object = json!({"metadata": {"name": name, "resourceVersion": "5"},
                        "addressType": "IPv4", "endpoints": endpoints, "ports": ports});
    serde_json::from_value(object).unwrap()
}

fn found(slices: &Slices) -> Vec<String> {
    let instances = slices.instances();
    let texts = instances
        .iter()
        .map(|Instance { host, port, .. }| format!("{host}:{port}"));
    texts.collect()
}

#[test]
fn endpoints_that_are_ready_count_once() {
    let endpoints = json!([
        {"addresses": ["10.0.0.1", "10.9.0.1"], "conditions": {"ready": true}},
        {"addresses": ["10.0.0.2"], "conditions": {"ready": false, "serving": true, "terminating": true}},
        {"addresses": ["10.0.0.3"], "conditions": {}},
        {"addresses": ["10.0.0.4"]},
        {"addresses": []},
    ]);
    let ports = json!([{"name": "http", "port": 8080, "protocol": "TCP"}]);
    let mut slices = Slices::new(None);
    slices.put(slice("a", &endpoints, &ports));
    let moved = json!([{"addresses": ["10.0.0.1"]}]);
    slices.put(slice("b", &moved, &ports));
    assert_eq!(
        found(&slices),
        ["10.0.0.1:8080", "10.0.0.3:8080", "10.0.0.4:8080"]
    );
    slices.remove(&slice("a", &json!(null), &json!(null)));
    assert_eq!(found(&slices), ["10.0.0.1:8080"]);
}

#[test]
fn a_port_is_chosen_by_name_or_number() {
    let endpoints = json!([{"addresses": ["10.0.0.1"]}]);
    let ports = json!([
        {"name": "dns", "port": 53, "protocol": "UDP"},
        {"name": "http", "port": 8080, "protocol": "TCP"},
        {"name": "admin", "port": 9090},
    ]);
    for (wanted, expected) in [
        (None, Some("10.0.0.1:8080")),
        (Some("admin"), Some("10.0.0.1:9090")),
        (Some("9090"), Some("10.0.0.1:9090")),
        (Some("dns"), None),
        (Some("none"), None),
    ] {
        let mut slices = Slices::new(wanted.map(Into::into));
        slices.put(slice("a", &endpoints, &ports));
        let expected: Vec<&str> = expected.into_iter().collect();
        assert_eq!(found(&slices), expected, "{wanted:?}");
    }
}

#[test]
fn lines_of_a_watch_are_understood() {
    let object = json!({"metadata": {"name": "a", "resourceVersion": "7"}});
    let line = |kind: &str, object: &Value| json!({"type": kind, "object": object}).to_string();
    let parse = |text: String| Event::parse(text.as_bytes());
    for kind in ["ADDED", "MODIFIED"] {
        let event = parse(line(kind, &object)).unwrap();
        assert!(matches!(event, Event::Changed(slice) if slice.version() == "7"));
    }
    let event = parse(line("DELETED", &object)).unwrap();
    assert!(matches!(event, Event::Deleted(_)));
    let event = parse(line("BOOKMARK", &object)).unwrap();
    assert!(matches!(event, Event::Bookmark(version) if version == "7"));
    let event = parse(line("ERROR", &json!({"code": 410}))).unwrap();
    assert!(matches!(event, Event::Gone));
    let event = parse(line("ERROR", &json!({"code": 500}))).unwrap();
    assert!(matches!(event, Event::Failed(500)));
    for text in ["", "{}", "{\"type\":\"ADDED\",\"object\":{}}"] {
        assert!(Event::parse(text.as_bytes()).is_err(), "{text}");
    }
}
