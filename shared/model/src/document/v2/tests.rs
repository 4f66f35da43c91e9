//! Tests of the conversion: what each construct becomes, and what is said about it.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{super::canonical, convert, services};
use crate::{api::Api, document::Notice, validate::validate_api, violation::Violation};

/// Converts a document, as far as its canonical form.
fn converted(document: &Value) -> Result<(Value, Vec<Notice>), Vec<Violation>> {
    let mut notices = Vec::new();
    let old = document.as_object().unwrap().clone();
    let mut new = convert(old, &mut notices)?;
    canonical::canonicalise(&mut new, &mut notices);
    Ok((Value::Object(new), notices))
}

fn small() -> Value {
    json!({
        "id": "a", "name": "A", "version": "1", "gravitee": "2.0.0",
        "proxy": {
            "virtual_hosts": [{"path": "/a"}],
            "groups": [{"name": "g", "endpoints": [{"name": "e", "target": "http://b", "inherit": true}]}],
        },
        "plans": [{"id": "p", "name": "P", "security": "KEY_LESS"}],
    })
}

/// The document with one value set; missing objects on the way are made.
fn with(pointer: &str, value: Value) -> Value {
    let mut document = small();
    let mut at = &mut document;
    for part in pointer.split('/').skip(1) {
        at = match part.parse::<usize>() {
            Ok(index) => &mut at[index],
            Err(_) => &mut at[part],
        };
    }
    *at = value;
    document
}

/// Where it was, what stood there, where it is now, and what stands there.
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn cases() -> Vec<(&'static str, Value, &'static str, Value)> {
    vec![
        ("/version", json!("7"), "/apiVersion", json!("7")),
        (
            "/flow_mode",
            json!("BEST_MATCH"),
            "/flowExecution/mode",
            json!("best-match"),
        ),
        (
            "/properties",
            json!({"k": "v"}),
            "/properties/0",
            json!({"key": "k", "value": "v"}),
        ),
        (
            "/path_mappings",
            json!(["/x"]),
            "/listeners/0/pathMappings",
            json!(["/x"]),
        ),
        (
            "/response_templates",
            json!({"DEFAULT": {"*/*": {"status": 400}}}),
            "/responseTemplates/DEFAULT/*~1*/status",
            json!(400),
        ),
        (
            "/proxy/virtual_hosts/0",
            json!({"path": "/b", "host": "h", "override_entrypoint": true}),
            "/listeners/0/paths/0",
            json!({"host": "h", "path": "/b", "overrideAccess": true}),
        ),
        (
            "/proxy/cors",
            json!({"enabled": true}),
            "/listeners/0/cors/enabled",
            json!(true),
        ),
        (
            "/proxy/servers",
            json!(["s"]),
            "/listeners/0/servers",
            json!(["s"]),
        ),
        (
            "/proxy/failover",
            json!({"maxAttempts": 3, "retryTimeout": 500, "cases": ["TIMEOUT"]}),
            "/failover",
            json!({"enabled": true, "maxRetries": 3, "slowCallDuration": 500}),
        ),
        (
            "/proxy/failover",
            json!({"retryTimeout": 0}),
            "/failover",
            json!({"enabled": true, "maxRetries": 1}),
        ),
        (
            "/proxy/logging",
            json!({"mode": "CLIENT", "scope": "RESPONSE", "content": "HEADERS_PAYLOADS", "condition": "#a"}),
            "/analytics/logging",
            json!({
                "mode": {"entrypoint": true, "endpoint": false},
                "phase": {"request": false, "response": true},
                "content": {"headers": true, "payload": true},
                "condition": "{#a}",
            }),
        ),
        (
            "/proxy/preserve_host",
            json!(true),
            "/flows/0/request/0/configuration/addHeaders/0/name",
            json!("Host"),
        ),
        (
            "/proxy/groups/0/load_balancing",
            json!({"type": "WEIGHTED_RANDOM"}),
            "/endpointGroups/0/loadBalancer/type",
            json!("weighted-random"),
        ),
        (
            "/proxy/groups/0/http",
            json!({"readTimeout": 5, "maxHeaderSize": 1, "clearTextUpgrade": true}),
            "/endpointGroups/0/sharedConfiguration/http",
            json!({"readTimeout": 5, "connectTimeout": 5000, "maxConcurrentConnections": 100}),
        ),
        (
            "/proxy/groups/0/ssl",
            json!({"pem": "PEM"}),
            "/endpointGroups/0/sharedConfiguration/ssl/trustStore",
            json!({"type": "PEM", "content": "PEM"}),
        ),
        (
            "/proxy/groups/0/headers",
            json!({"X": "y"}),
            "/endpointGroups/0/sharedConfiguration/headers/0",
            json!({"name": "X", "value": "y"}),
        ),
        (
            "/proxy/groups/0/endpoints/0/backup",
            json!(true),
            "/endpointGroups/0/endpoints/0/secondary",
            json!(true),
        ),
        (
            "/proxy/groups/0/endpoints/0/type",
            json!("grpc"),
            "/endpointGroups/0/endpoints/0/configuration/target",
            json!("grpc://b"),
        ),
        (
            "/proxy/groups/0/endpoints/0/name",
            json!("g"),
            "/endpointGroups/0/endpoints/0/name",
            json!("g-2"),
        ),
        (
            "/proxy/groups/0/endpoints/0/healthcheck",
            json!({"inherit": false, "enabled": true, "schedule": "* * * * * *", "steps": [
                {"request": {"path": "/up", "method": "HEAD", "fromRoot": true},
                 "response": {"assertions": ["#response.status == 200", "{#response.status < 9}"]}},
            ]}),
            "/endpointGroups/0/endpoints/0/services/healthCheck",
            json!({
                "type": "http-health-check", "enabled": true, "overrideConfiguration": true,
                "configuration": {
                    "schedule": "* * * * * *", "method": "HEAD", "target": "/up", "overrideEndpointPath": true,
                    "assertion": "{(#response.status == 200) && (#response.status < 9)}",
                    "successThreshold": 2, "failureThreshold": 2,
                },
            }),
        ),
        (
            "/services",
            json!({"health-check": {"trigger": {"rate": 120, "unit": "SECONDS"}}}),
            "/endpointGroups/0/services/healthCheck/configuration/schedule",
            json!("0 */2 * * * *"),
        ),
        (
            "/proxy/groups/0/services",
            json!({"discovery": {"provider": "CONSUL", "configuration": {"service": "s"}}}),
            "/endpointGroups/0/services/discovery/type",
            json!("consul-service-discovery"),
        ),
        (
            "/services",
            json!({"dynamic-property": {"provider": "HTTP", "schedule": "0 * * * * *", "configuration": {
                "url": "http://p", "specification": "[]", "useSystemProxy": true}}}),
            "/services/dynamicProperty/configuration",
            json!({"schedule": "0 * * * * *", "url": "http://p", "transformation": "[]", "systemProxy": true,
                   "method": "GET"}),
        ),
        (
            "/flows",
            json!([{"path-operator": {"path": "/x", "operator": "EQUALS"}, "methods": ["GET"], "condition": "#c",
                    "pre": [{"policy": "p"}], "post": [{"policy": "q"}], "consumers": [{"consumerId": "t"}]}]),
            "/flows/0",
            json!({
                "selectors": [
                    {"type": "http", "path": "/x", "pathOperator": "EQUALS", "methods": ["GET"]},
                    {"type": "condition", "condition": "{#c}"},
                ],
                "request": [{"policy": "p"}], "response": [{"policy": "q"}],
            }),
        ),
        (
            "/paths",
            json!({"/x/*": [{"methods": ["GET"], "transform-headers": {"scope": "RESPONSE"}}]}),
            "/flows/0",
            json!({
                "enabled": true,
                "selectors": [{"type": "http", "path": "/x", "pathOperator": "STARTS_WITH", "methods": ["GET"]}],
                "response": [{"policy": "transform-headers", "description": "", "enabled": true,
                              "configuration": {"scope": "RESPONSE"}}],
            }),
        ),
        (
            "/plans/0",
            json!({"security": "JWT", "securityDefinition": "{\"signature\": \"HMAC\"}", "selection_rule": "#r"}),
            "/plans/0",
            json!({"security": {"type": "jwt", "configuration": {"signature": "HMAC"}}, "selectionRule": "#r",
                   "status": "published"}),
        ),
    ]
}

#[test]
fn each_construct_has_its_place() {
    for (from, old, to, new) in cases() {
        let (document, notices) = converted(&with(from, old.clone())).unwrap();
        assert_eq!(
            document.pointer(to),
            Some(&new),
            "{from}: {old}\n{document:#}"
        );
        assert!(
            notices.iter().all(|notice| notice.code == "converted"),
            "{from}: {notices:?}"
        );
    }
}

#[test]
fn what_is_lost_is_said() {
    let cases = [
        ("/execution_mode", json!("v3"), "execution_mode"),
        ("/proxy/surprise", json!(1), "proxy.surprise"),
        (
            "/proxy/groups/0/surprise",
            json!(1),
            "proxy.groups[0].surprise",
        ),
        (
            "/proxy/groups/0/http",
            json!({"maxChunkSize": 1}),
            "proxy.groups[0].http",
        ),
        (
            "/proxy/groups/0/services",
            json!({"discovery": {"provider": "zookeeper"}}),
            "proxy.groups[0].services.discovery",
        ),
        ("/flows", json!([{"consumers": [{}]}]), "flows[0].consumers"),
        (
            "/flows",
            json!([{"pre": [{"policy": "html-json"}]}]),
            "flows[0].pre[0]",
        ),
        (
            "/flows",
            json!([{"pre": [{"policy": "p", "configuration": {"scope": "RESPONSE"}}]}]),
            "flows[0].pre[0].configuration.scope",
        ),
        (
            "/services",
            json!({"health-check": {"steps": [{}, {}]}}),
            "services.health-check.steps",
        ),
        (
            "/services",
            json!({"dynamic-property": {"provider": "X"}}),
            "services.dynamic-property",
        ),
        (
            "/services",
            json!({"surprise": {"enabled": true}}),
            "services.surprise",
        ),
    ];
    for (pointer, value, path) in cases {
        let (_, notices) = converted(&with(pointer, value)).unwrap();
        assert!(
            notices.iter().any(|notice| notice.path == path),
            "{path}: {notices:#?}"
        );
    }
}

#[test]
fn parts_of_the_wrong_kind_are_refused_with_their_place() {
    let cases = [
        ("/proxy", json!("x"), "proxy"),
        ("/proxy/virtual_hosts", json!({}), "proxy.virtual_hosts"),
        ("/proxy/groups/0", json!(1), "proxy.groups[0]"),
        (
            "/proxy/groups/0/endpoints/0",
            json!([]),
            "proxy.groups[0].endpoints[0]",
        ),
        ("/proxy/logging", json!(true), "proxy.logging"),
        ("/flows", json!([{"pre": {}}]), "flows[0].pre"),
        ("/paths", json!({"/": [{}]}), "paths./[0]"),
        ("/plans/0", json!(null), "plans[0]"),
        (
            "/plans/0",
            json!({"security": "JWT", "securityDefinition": "secret"}),
            "plans[0].securityDefinition",
        ),
    ];
    for (pointer, value, path) in cases {
        let violations = converted(&with(pointer, value)).unwrap_err();
        assert_eq!(violations[0].path, path);
        assert!(
            !violations[0].to_string().contains("\"secret\""),
            "{}",
            violations[0]
        );
    }
}

#[test]
fn a_converted_definition_is_valid() {
    let (document, _) = converted(&small()).unwrap();
    let api = validate_api(&document, &[]).unwrap();
    let group = &api.endpoint_groups[0];
    let http = group.endpoints[0].http_configuration(group).unwrap().http;
    assert_eq!(
        (http.connect_timeout_ms, http.max_concurrent_connections),
        (5_000, 100)
    );
}

#[test]
fn the_oldest_endpoints_keep_the_options_beside_them() {
    let document = json!({"name": "a", "proxy": {
        "context_path": "/a",
        "endpoints": [
            {"name": "x", "target": "http://x", "healthcheck": true},
            {"name": "y", "target": "http://y", "hostHeader": "h"},
        ],
        "http": {"configuration": {"readTimeout": 7}},
    }});
    let (document, _) = converted(&document).unwrap();
    let api = Api::from_canonical(&document).unwrap();
    let group = &api.endpoint_groups[0];
    for endpoint in &group.endpoints {
        let http = endpoint.http_configuration(group).unwrap().http;
        assert_eq!(http.read_timeout_ms, 7, "{}", endpoint.name);
    }
    let headers = &group.endpoints[1]
        .http_configuration(group)
        .unwrap()
        .headers;
    assert_eq!(headers[0].value, "h");
}

#[test]
fn inherited_parts_do_not_unfold_without_end() {
    let endpoint = json!({"target": "http://x", "hostHeader": "h"});
    let document = json!({"proxy": {
        "endpoints": vec![endpoint; 1000],
        "http": {"x": "y".repeat(500_000)},
    }});
    let violations = converted(&document).unwrap_err();
    assert!(
        violations[0].expected.contains("inherited"),
        "{}",
        violations[0]
    );
}

#[test]
fn a_rate_becomes_a_schedule_if_it_is_one() {
    let cases = [
        ((1, "SECONDS"), Some("* * * * * *")),
        ((10, "SECONDS"), Some("*/10 * * * * *")),
        ((60, "SECONDS"), Some("0 * * * * *")),
        ((3600, "seconds"), Some("0 0 * * * *")),
        ((30, "MINUTES"), Some("0 */30 * * * *")),
        ((7, "SECONDS"), None),
        ((0, "SECONDS"), None),
        ((48, "HOURS"), None),
        ((1, "DAYS"), None),
    ];
    for ((rate, unit), expected) in cases {
        assert_eq!(
            services::every(rate, unit).as_deref(),
            expected,
            "{rate} {unit}"
        );
    }
}

proptest! {
    #[test]
    fn no_change_of_a_definition_panics(case in 0..cases().len(), value in crate::document::tests::json_value()) {
        let (pointer, ..) = cases().swap_remove(case);
        let document = with(pointer, value);
        if let Ok((document, _)) = converted(&document) {
            let _ = validate_api(&document, &[]);
        }
    }
}
