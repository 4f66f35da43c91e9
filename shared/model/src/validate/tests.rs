//! Tests of single rules: a valid document is changed in one place.

use serde_json::{Value, json};

use super::{ListenerClaim, deployable, listener_claims, validate_api};

fn valid() -> Value {
    json!({
        "id": "orders", "name": "Orders", "apiVersion": "1", "type": "proxy", "tags": ["a"],
        "listeners": [{"type": "http", "paths": [{"path": "/orders"}], "entrypoints": [{"type": "http-proxy"}]}],
        "endpointGroups": [{"name": "g", "type": "http-proxy", "endpoints": [
            {"name": "e", "type": "http-proxy", "configuration": {"target": "http://b"}}
        ]}],
        "flows": [{"selectors": [{"type": "http", "path": "/:id"}]}],
        "plans": [{"id": "p", "name": "p", "status": "published", "security": {"type": "key-less"}}]
    })
}

fn paths(document: &Value, others: &[ListenerClaim]) -> Vec<String> {
    let violations = validate_api(document, others).err().unwrap_or_default();
    violations
        .into_iter()
        .map(|violation| violation.path)
        .collect()
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn each_rule_names_the_place() {
    let cases = [
        ("/definitionVersion", json!("2.0.0"), "definitionVersion"),
        ("/listeners", json!([]), "listeners"),
        ("/listeners/0/paths", json!([]), "listeners[0].paths"),
        (
            "/listeners/0/paths/0/path",
            json!("/a b"),
            "listeners[0].paths[0].path",
        ),
        (
            "/listeners/0/paths/0/path",
            json!("/%zz"),
            "listeners[0].paths[0].path",
        ),
        (
            "/listeners/0/paths/0/host",
            json!("a_b..c"),
            "listeners[0].paths[0].host",
        ),
        (
            "/listeners/0/entrypoints",
            json!([]),
            "listeners[0].entrypoints",
        ),
        (
            "/listeners/0/entrypoints/0/type",
            json!("sse"),
            "listeners[0].entrypoints[0].type",
        ),
        (
            "/endpointGroups/0/name",
            json!("a:b"),
            "endpointGroups[0].name",
        ),
        (
            "/endpointGroups/0/endpoints",
            json!([]),
            "endpointGroups[0].endpoints",
        ),
        (
            "/endpointGroups/0/endpoints/0/name",
            json!("g"),
            "endpointGroups[0].endpoints[0].name",
        ),
        (
            "/endpointGroups/0/endpoints/0/type",
            json!("mock"),
            "endpointGroups[0].endpoints[0].type",
        ),
        (
            "/endpointGroups/0/endpoints/0/configuration/target",
            json!("ftp://h"),
            "endpointGroups[0].endpoints[0].configuration.target",
        ),
        (
            "/endpointGroups/0/endpoints/0/sharedConfigurationOverride",
            json!({"http": {"readTimeout": -5}}),
            "endpointGroups[0].endpoints[0].sharedConfigurationOverride.http.readTimeout",
        ),
        (
            "/services",
            json!({"dynamicProperty": {"type": "t", "configuration": {"schedule": "now"}}}),
            "services.dynamicProperty.configuration.schedule",
        ),
        (
            "/endpointGroups/0/services",
            json!({"healthCheck": {"type": "t", "configuration": {"schedule": "* * *"}}}),
            "endpointGroups[0].services.healthCheck.configuration.schedule",
        ),
        ("/plans/0/security", json!(null), "plans[0].security"),
        (
            "/plans/0/security/type",
            json!("password"),
            "plans[0].security.type",
        ),
        ("/plans/0/mode", json!("push"), "plans[0].security.type"),
        ("/plans/0/tags", json!(["b"]), "plans[0].tags"),
        (
            "/flows/0/publish",
            json!([{"policy": "x"}]),
            "flows[0].publish",
        ),
        (
            "/flows/0/selectors/0/type",
            json!("channel"),
            "flows[0].selectors[0].type",
        ),
        (
            "/properties",
            json!([{"key": "k"}, {"key": "k"}]),
            "properties[1].key",
        ),
        (
            "/responseTemplates",
            json!({"DEFAULT": {"*/*": {"status": 9}}}),
            "responseTemplates.DEFAULT.*/*.status",
        ),
    ];
    for (pointer, value, path) in cases {
        let mut document = valid();
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        let parent = document.pointer_mut(parent).unwrap();
        match name.parse::<usize>() {
            Ok(index) => parent[index] = value,
            Err(_) => parent[name] = value,
        }
        let found = paths(&document, &[]);
        assert!(
            found.iter().any(|found| found == path),
            "{pointer}: {found:?}"
        );
    }
}

#[test]
fn a_valid_document_has_no_violation() {
    let api = validate_api(&valid(), &[]).unwrap();
    assert_eq!(deployable(&api), Ok(()));
    assert_eq!(listener_claims(&api)[0].path, "/orders/");
}

#[test]
fn overlapping_paths_must_name_parameters_alike() {
    let mut document = valid();
    let flow = |path: &str, operator: &str| json!({"selectors": [{"type": "http", "path": path, "pathOperator": operator}]});
    document["flows"] = json!([flow("/a/:id", "STARTS_WITH"), flow("/a/:name/x", "EQUALS")]);
    assert_eq!(paths(&document, &[]), ["flows[1].selectors[0].path"]);
    document["flows"] = json!([flow("/a/:id", "EQUALS"), flow("/a/:name/x", "EQUALS")]);
    assert!(paths(&document, &[]).is_empty());
    document["flows"] = json!([
        flow("/a/:id", "STARTS_WITH"),
        flow("/b/:name", "STARTS_WITH")
    ]);
    assert!(paths(&document, &[]).is_empty());
}

#[test]
fn paths_conflict_with_all_paths_of_other_apis() {
    let claim = |id: &str, host: Option<&str>, path: &str| ListenerClaim {
        api_id: id.to_owned(),
        api_name: id.to_owned(),
        host: host.map(str::to_owned),
        path: path.to_owned(),
    };
    let cases = [
        (claim("x", None, "/orders/"), true),
        (claim("x", None, "/"), true),
        (claim("x", None, "/orders/v2/"), true),
        (claim("x", None, "/orders-old/"), false),
        (claim("x", Some("h"), "/orders/"), false),
        (claim("x", Some("h"), ""), false),
        (claim("orders", None, "/orders/"), false),
    ];
    for (other, conflicts) in cases {
        let others = [claim("y", None, "/else/"), other.clone()];
        assert_eq!(!paths(&valid(), &others).is_empty(), conflicts, "{other:?}");
    }
}

#[test]
fn the_same_path_twice_is_refused_but_a_longer_one_is_fine() {
    let mut document = valid();
    document["listeners"][0]["paths"] = json!([{"path": "/a"}, {"path": "/a/b"}, {"path": "a/"}]);
    assert_eq!(paths(&document, &[]), ["listeners[0].paths[2].path"]);
}

#[test]
fn an_api_without_served_plans_is_not_deployable() {
    let mut document = valid();
    document["plans"][0]["status"] = json!("staging");
    let api = validate_api(&document, &[]).unwrap();
    let violation = deployable(&api).unwrap_err().remove(0);
    assert_eq!(violation.value, "only plans that are staging");
}

#[test]
fn the_groups_in_the_documentation_are_valid() {
    let page = include_str!("../../../../docs/discovery.md");
    let blocks: Vec<&str> = page
        .split("```json")
        .skip(1)
        .filter_map(|block| block.split("```").next())
        .collect();
    assert_eq!(blocks.len(), 3);
    for block in blocks {
        let mut document = valid();
        document["endpointGroups"][0] = serde_json::from_str(block).unwrap();
        assert_eq!(paths(&document, &[]), Vec::<String>::new(), "{block}");
    }
}

#[test]
fn a_discovery_that_cannot_work_names_the_place() {
    let discovery = |kind: &str, configuration: Value| {
        json!({"name": "g", "type": "http-proxy",
               "services": {"discovery": {"type": kind, "configuration": configuration}}})
    };
    let place = "endpointGroups[0].services.discovery";
    let mut of_messages = discovery("consul-service-discovery", json!({"service": "a"}));
    of_messages["type"] = json!("mock");
    for (group, path) in [
        (discovery("eureka", json!({})), format!("{place}.type")),
        (
            discovery("consul-service-discovery", json!({})),
            format!("{place}.configuration.service"),
        ),
        (of_messages, format!("{place}.enabled")),
    ] {
        let mut document = valid();
        document["endpointGroups"][0] = group;
        assert_eq!(paths(&document, &[]), [path]);
    }
}

#[test]
fn the_tcp_api_in_the_documentation_is_valid() {
    let page = include_str!("../../../../docs/tcp.md");
    let block = page.split("```json").nth(1).unwrap();
    let block = block.split("```").next().unwrap();
    let mut document: Value = serde_json::from_str(block).unwrap();
    document["id"] = json!("orders-database");
    document["plans"][0]["id"] = json!("everybody");
    assert_eq!(paths(&document, &[]), Vec::<String>::new());
    document["endpointGroups"][0]["sharedConfiguration"]["proxy"] =
        json!({"enabled": true, "type": "HTTP", "host": "p", "port": 1});
    let place = "endpointGroups[0].sharedConfiguration.proxy.type";
    assert!(paths(&document, &[]).iter().all(|path| path == place));
    document["endpointGroups"][0]["sharedConfiguration"] = json!({});
    document["endpointGroups"][0]["endpoints"][1]["configuration"]["target"] = json!({});
    let place = "endpointGroups[0].endpoints[1].configuration.target";
    assert_eq!(
        paths(&document, &[]),
        [format!("{place}.port"), format!("{place}.host")]
    );
}
