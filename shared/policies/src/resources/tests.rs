//! Configurations of resources.

use serde_json::json;

use super::{RESOURCE_KINDS, find_resource};
use crate::testing::{example, exchange};

#[test]
fn the_example_of_the_readme_loads() {
    let resources = example(include_str!("README.md"));
    for resource in resources.as_array().unwrap() {
        let kind = find_resource(resource["type"].as_str().unwrap()).unwrap();
        (kind.parse)(&resource["configuration"]).unwrap();
    }
}

#[test]
fn expressions_are_evaluated_at_deployment_but_for_those_of_calls() {
    let exchange = exchange();
    let kind = find_resource("auth-provider-http-resource").unwrap();
    let configuration = json!({
        "url": "https://{#api.name}.test/{#api.properties['limit']}", "body": "{#username}",
        "headers": [{"name": "X", "value": "{#username}"}]
    });
    assert_eq!(kind.has_expressions(&configuration), Ok(true));
    let found = kind.evaluated(&configuration, &exchange).unwrap();
    assert_eq!(found["url"], "https://Shop.test/10");
    assert_eq!(found["body"], "{#username}");
    assert_eq!(found["headers"], configuration["headers"]);
    let kind = find_resource("auth-provider-inline-resource").unwrap();
    let configuration = json!({"users": [
        {"username": "a", "password": "{#api.properties['limit']}", "roles": ["{#api.id}"]}]});
    let found = kind.evaluated(&configuration, &exchange).unwrap();
    let expected = json!([{"username": "a", "password": "10", "roles": ["shop"]}]);
    assert_eq!(found["users"], expected);
    let plain = json!({"users": [{"username": "{0}", "password": "{ }"}]});
    assert_eq!(kind.has_expressions(&plain), Ok(false));
    for (text, path) in [
        ("{#a +}", "users[0].password"),
        ("{#nothing}", "users[0].password"),
    ] {
        let configuration = json!({"users": [{"username": "a", "password": text}]});
        let error = kind.evaluated(&configuration, &exchange).unwrap_err();
        assert_eq!(error.path, path);
    }
}

#[test]
fn what_cannot_work_is_refused_with_its_place_and_without_secrets() {
    for (kind, configuration, path) in [
        (
            "cache",
            json!({"maxEntriesLocalHeap": "many"}),
            "maxEntriesLocalHeap",
        ),
        (
            "cache-redis",
            json!({"sentinel": {"enabled": true}}),
            "sentinel.nodes",
        ),
        (
            "oauth2",
            json!({"clientId": "a", "clientSecret": "hush"}),
            "authorizationServerUrl",
        ),
        (
            "oauth2-am-resource",
            json!({"serverURL": "am", "securityDomain": "d", "clientId": "a",
                   "clientSecret": "hush"}),
            "serverURL",
        ),
        (
            "oauth2-keycloak-resource",
            json!({"keycloakConfiguration": "{\"secret\": \"hush\"}"}),
            "keycloakConfiguration",
        ),
        ("auth-provider-http-resource", json!({"url": "/x"}), "url"),
        (
            "auth-provider-http-resource",
            json!({"url": "http://x", "condition": "{#a +}"}),
            "condition",
        ),
        (
            "auth-provider-ldap-resource",
            json!({"contextSourceUrl": "http://x", "contextSourceBase": "dc=x"}),
            "contextSourceUrl",
        ),
        ("content-provider-http-resource", json!({"url": "x"}), "url"),
        (
            "schema-registry-confluent",
            json!({"registryUrl": "x"}),
            "registryUrl",
        ),
    ] {
        let parse = find_resource(kind).unwrap().parse;
        let error = parse(&configuration).unwrap_err();
        assert_eq!(error.path, path, "{kind}");
        assert!(!error.to_string().contains("hush"), "{error}");
    }
}

#[test]
fn debug_output_shows_no_password() {
    let users = json!({"users": [{"username": "ann", "password": "hush", "roles": ["a"]}]});
    let parse = find_resource("auth-provider-inline-resource")
        .unwrap()
        .parse;
    let shown = format!("{:?}", parse(&users).unwrap());
    assert!(shown.contains("ann") && !shown.contains("hush"), "{shown}");
}

#[test]
fn names_are_unique() {
    let mut names: Vec<&str> = RESOURCE_KINDS.iter().map(|kind| kind.name).collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
}
