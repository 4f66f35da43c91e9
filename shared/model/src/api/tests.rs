//! Tests of reading whole definitions.

use serde_json::{Value, json};

use super::{Api, ApiKind, HttpProxy, HttpVersion, Listener, PlanStatus, Selector, UNASSIGNED};

fn minimal() -> Value {
    json!({
        "name": "a", "apiVersion": 1, "type": "PROXY",
        "listeners": [{"type": "HTTP", "paths": [{"path": "a"}], "entrypoints": [{"type": "http-proxy"}]}],
        "endpointGroups": [{"name": "g", "type": "http-proxy", "endpoints": [
            {"name": "e", "type": "http-proxy", "weight": 0, "configuration": "{\"target\":\"http://b\"}"}
        ]}],
        "plans": [{"name": "p", "security": {"type": "KEY_LESS"}}]
    })
}

#[test]
fn defaults_fill_what_a_definition_leaves_out() {
    let api = Api::from_canonical(&minimal()).unwrap();
    assert_eq!(
        (api.id.as_str(), api.version.as_str(), api.kind),
        (UNASSIGNED, "1", ApiKind::Proxy)
    );
    assert!(api.analytics.enabled);
    assert_eq!(api.plans[0].status, PlanStatus::Staging);
    assert_eq!(api.plans[0].id.as_str(), "unassigned-0");
    let Listener::Http(listener) = &api.listeners[0] else {
        panic!("http listener")
    };
    assert_eq!(listener.paths[0].path, "/a/");
    let endpoint = &api.endpoint_groups[0].endpoints[0];
    assert_eq!(
        (endpoint.weight, endpoint.inherit_configuration),
        (1, false)
    );
}

#[test]
fn http_configuration_has_the_defaults_of_the_connector() {
    let api = Api::from_canonical(&minimal()).unwrap();
    let group = &api.endpoint_groups[0];
    let http = group.endpoints[0].http_configuration(group).unwrap();
    assert_eq!(http.target, "http://b");
    assert_eq!(
        (
            http.http.connect_timeout_ms,
            http.http.max_concurrent_connections
        ),
        (3000, 20)
    );
    assert_eq!(
        (http.http.version, http.proxy),
        (HttpVersion::Http1, HttpProxy::Direct)
    );
    assert!(http.ssl.hostname_verifier && http.ssl.key_store.is_none());
}

#[test]
fn every_unreadable_member_is_reported_in_one_pass() {
    let mut document = minimal();
    document["name"] = json!(null);
    document["listeners"][0]["type"] = json!("QUIC");
    document["plans"][0]["status"] = json!(7);
    document["flows"] = json!([{"request": [{"policy": ""}]}]);
    let violations = Api::from_canonical(&document).unwrap_err();
    let paths: Vec<_> = violations
        .iter()
        .map(|violation| violation.path.as_str())
        .collect();
    assert_eq!(
        paths,
        [
            "name",
            "listeners[0].type",
            "plans[0].status",
            "flows[0].request[0].policy"
        ]
    );
}

#[test]
fn unknown_selectors_are_kept() {
    let mut document = minimal();
    document["flows"] = json!([{"selectors": [{"type": "MCP", "methods": ["tools/call"]}]}]);
    let api = Api::from_canonical(&document).unwrap();
    assert!(matches!(&api.flows[0].selectors[0], Selector::Other(value) if value["type"] == "MCP"));
}
