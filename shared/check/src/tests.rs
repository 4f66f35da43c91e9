//! A valid definition is broken in one place each.

use rcgen::{CertificateParams, KeyPair};
use serde_json::{Value, json};

use super::{check, undeployable};

fn valid() -> Value {
    json!({
        "id": "orders", "name": "Orders", "apiVersion": "1", "type": "proxy",
        "listeners": [{"type": "http", "paths": [{"path": "/orders"}],
                       "entrypoints": [{"type": "http-proxy"}]}],
        "endpointGroups": [{"name": "g", "type": "http-proxy", "sharedConfiguration": {},
            "endpoints": [{"name": "e", "type": "http-proxy", "inheritConfiguration": true,
                           "configuration": {"target": "http://b"}}]}],
        "flows": [{"selectors": [{"type": "http", "path": "/:id"}]}],
        "plans": [{"id": "p", "name": "p", "status": "published",
                   "security": {"type": "key-less"}}]
    })
}

/// The valid definition with `value` at a JSON pointer whose parent exists.
fn changed(pointer: &str, value: Value) -> Value {
    let mut document = valid();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let parent = document.pointer_mut(parent).unwrap();
    match name.parse::<usize>() {
        Ok(index) => parent[index] = value,
        Err(_) => parent[name] = value,
    }
    document
}

fn found(document: &Value) -> Vec<String> {
    let violations = check(document, &[]).violations;
    violations.iter().map(ToString::to_string).collect()
}

#[test]
fn a_valid_definition_passes_and_can_be_deployed() {
    let checked = check(&valid(), &[]);
    assert_eq!(checked.violations, []);
    assert_eq!(undeployable(&valid(), &checked.api.unwrap()), []);
}

#[test]
fn a_broken_expression_is_named_with_its_place_and_position_wherever_it_stands() {
    let group = "/endpointGroups/0";
    let check = |configuration: Value| {
        let mut configuration = configuration;
        configuration["schedule"] = json!("*/5 * * * * *");
        configuration["target"] = json!("/health");
        json!({"healthCheck": {"type": "http-health-check", "configuration": configuration}})
    };
    let health = "endpointGroups[0].services.healthCheck.configuration";
    let cases = [
        (
            format!("{group}/endpoints/0/configuration/target"),
            json!("http://{#a.}"),
            "endpointGroups[0].endpoints[0].configuration.target".to_owned(),
        ),
        (
            format!("{group}/sharedConfiguration/headers"),
            json!([{"name": "a", "value": "{#a +}"}]),
            "endpointGroups[0].sharedConfiguration.headers[0].value".to_owned(),
        ),
        (
            format!("{group}/services"),
            check(json!({"assertion": "{#response.status ==}"})),
            format!("{health}.assertion"),
        ),
        (
            format!("{group}/services"),
            check(json!({"headers": [{"name": "a", "value": "{#"}]})),
            format!("{health}.headers[0].value"),
        ),
        (
            "/responseTemplates".to_owned(),
            json!({"DEFAULT": {"*/*": {"body": "text {#error.}"}}}),
            "responseTemplates.DEFAULT.*/*.body".to_owned(),
        ),
        (
            "/analytics".to_owned(),
            json!({"logging": {"condition": "{#request.timestamp <}"}}),
            "analytics.logging.condition".to_owned(),
        ),
        (
            "/plans/0/selectionRule".to_owned(),
            json!("#a ||"),
            "plans[0].selectionRule".to_owned(),
        ),
        (
            "/flows/0/request".to_owned(),
            json!([{"policy": "mock", "condition": "{#a &}", "configuration": {}}]),
            "flows[0].request[0].condition".to_owned(),
        ),
    ];
    for (pointer, value, path) in cases {
        let found = found(&changed(&pointer, value));
        let expected = |line: &&String| line.starts_with(&path) && line.contains("at position");
        assert!(
            found.iter().any(|line| expected(&line)),
            "{path}: {found:?}"
        );
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn other_mistakes_are_found_before_an_edge_meets_them() {
    let cases = [
        (
            "/listeners/0/cors",
            json!({"enabled": true, "allowOrigin": ["https://(a"]}),
            "listeners[0].cors.allowOrigin[0]",
        ),
        (
            "/flows/0/selectors/0/path",
            json!("/a(/b"),
            "flows[0].selectors[0].path",
        ),
        (
            "/flows/0/selectors/0/methods",
            json!(["GET", "G T"]),
            "flows[0].selectors[0].methods[1]",
        ),
        (
            "/responseTemplates",
            json!({"DEFAULT": {"*/*": {"headers": {"a b": "c"}}}}),
            "responseTemplates.DEFAULT.*/*.headers.a b",
        ),
        (
            "/responseTemplates",
            json!({"DEFAULT": {"*/*": {"headers": {"a": "b\r\nc: d"}}}}),
            "responseTemplates.DEFAULT.*/*.headers.a",
        ),
        (
            "/endpointGroups/0/sharedConfiguration/headers",
            json!([{"name": "a:", "value": "b"}]),
            "endpointGroups[0].sharedConfiguration.headers[0]",
        ),
        (
            "/endpointGroups/0/sharedConfiguration/ssl",
            json!({"trustStore": {"type": "PEM", "content": "-----BEGIN"}}),
            "endpointGroups[0].sharedConfiguration.ssl.trustStore",
        ),
        (
            "/endpointGroups/0/sharedConfiguration/ssl",
            json!({"keyStore": {"type": "PKCS12", "content": "AAAA", "password": "p"}}),
            "endpointGroups[0].sharedConfiguration.ssl.keyStore",
        ),
        (
            "/resources",
            json!([{"name": "c", "type": "cache", "configuration": {"timeToLiveSeconds": "soon"}}]),
            "resources[0].configuration.timeToLiveSeconds",
        ),
        (
            "/analytics",
            json!({"logging": {"mode": {"entrypoint": "sometimes"}}}),
            "analytics.logging.mode.entrypoint",
        ),
        (
            "/analytics",
            json!({"logging": {"content": {"messagePayload": true}}}),
            "analytics.logging.content.messagePayload",
        ),
        (
            "/failover",
            json!({"enabled": true, "slowCallDuration": 0}),
            "failover.slowCallDuration",
        ),
        (
            "/services",
            json!({"dynamicProperty": {"type": "http-dynamic-properties", "configuration": {
                "schedule": "*/5 * * * * *", "transformation": "[{\"operation\": \"shake\"}]"}}}),
            "services.dynamicProperty.configuration.transformation",
        ),
    ];
    for (pointer, value, path) in cases {
        let found = found(&changed(pointer, value));
        assert!(
            found.iter().any(|line| line.starts_with(path)),
            "{path}: {found:?}"
        );
    }
}

#[test]
fn all_mistakes_are_told_at_once() {
    let mut document = valid();
    document["listeners"][0]["cors"] = json!({"enabled": true, "allowOrigin": ["(", "["]});
    document["plans"][0]["selectionRule"] = json!("#a ==");
    document["failover"] = json!({"enabled": true, "maxRetries": -1});
    document["responseTemplates"] = json!({"DEFAULT": {"*/*": {"status": 42, "body": "{#"}}});
    assert_eq!(found(&document).len(), 6, "{:?}", found(&document));
}

#[test]
fn stores_that_open_pass_and_what_is_in_them_is_never_shown() {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["a".to_owned()]).unwrap();
    let certificate = params.self_signed(&key).unwrap().pem();
    let ssl = |certificate: &str| {
        json!({"trustStore": {"type": "PEM", "content": certificate},
               "keyStore": {"type": "PEM", "certContent": certificate,
                            "keyContent": key.serialize_pem()}})
    };
    let pointer = "/endpointGroups/0/sharedConfiguration/ssl";
    assert_eq!(found(&changed(pointer, ssl(&certificate))), [""; 0]);
    let broken = certificate.replace('\n', "\n!");
    let found = found(&changed(pointer, ssl(&broken)));
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(
        found.iter().all(|line| line.contains("(not shown)")),
        "{found:?}"
    );
    // A file lies on the edge.
    let file = json!({"trustStore": {"type": "JKS", "path": "/none", "password": "p"}});
    assert_eq!(self::found(&changed(pointer, file)), [""; 0]);
}

#[test]
fn templates_of_the_operator_are_kept_and_named_when_deployed() {
    let document = changed(
        "/plans/0/security/type",
        json!("[[ secret `shop/security` ]]"),
    );
    let checked = check(&document, &[]);
    assert_eq!(checked.violations, []);
    let reasons = undeployable(&document, &checked.api.unwrap());
    assert!(
        reasons
            .iter()
            .any(|reason| reason.path == "plans[0].security.type"
                && reason.expected.contains("Kubernetes operator")),
        "{reasons:?}"
    );
}

#[test]
fn an_expression_that_reads_secrets_cannot_be_deployed() {
    let headers = json!([{"name": "a", "value": "ApiKey {#secrets.get('/k/test', #api.id)}"}]);
    let document = changed("/endpointGroups/0/sharedConfiguration/headers", headers);
    let checked = check(&document, &[]);
    assert_eq!(checked.violations, []);
    let reasons = undeployable(&document, &checked.api.unwrap());
    let paths: Vec<&str> = reasons.iter().map(|reason| reason.path.as_str()).collect();
    assert_eq!(
        paths,
        ["endpointGroups[0].sharedConfiguration.headers[0].value"]
    );
}
