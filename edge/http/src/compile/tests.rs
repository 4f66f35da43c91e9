//! Reuse, refusals and what is left out.

use std::sync::Arc;

use serde_json::{Value, json};
use tidegate_model::{
    ApiId, ApiObject, ApplicationId, ConfigSnapshot, Epoch, KeyObject, PlanId, Revision, Secret,
    SubscriptionId, SubscriptionObject, TagSelector,
};

use super::{Compilation, CompiledSnapshot, NodeFacts, ServerIds, compile};

pub(super) fn node(tags: &[&str]) -> NodeFacts {
    NodeFacts {
        id: "edge".to_owned(),
        tags: TagSelector::parse(tags).unwrap(),
        tenant: None,
        region: None,
        version: "1".to_owned(),
        system_proxy: None,
        servers: ServerIds::default(),
    }
}

pub(super) fn definition(id: &str, path: &str) -> Value {
    json!({
        "id": id, "name": id, "apiVersion": "1", "type": "proxy",
        "listeners": [{"type": "http", "paths": [{"path": path}],
                       "entrypoints": [{"type": "http-proxy"}]}],
        "endpointGroups": [{"name": "g", "type": "http-proxy", "endpoints": [
            {"name": "e", "type": "http-proxy", "configuration": {"target": "http://127.0.0.1:1"}}]}],
        "plans": [{"id": "p", "name": "p", "status": "published", "security": {"type": "key-less"}}]
    })
}

pub(super) fn object(definition: Value) -> Arc<ApiObject> {
    Arc::new(ApiObject {
        id: ApiId::parse(definition["id"].as_str().unwrap()).unwrap(),
        environment: "default".to_owned(),
        definition,
        started: true,
        deployment_number: 1,
        deployed_ms: 0,
        groups: Default::default(),
    })
}

fn subscription(id: &str, hash: &str) -> Arc<SubscriptionObject> {
    Arc::new(SubscriptionObject {
        id: SubscriptionId::parse(id).unwrap(),
        api: ApiId::parse("a").unwrap(),
        plan: PlanId::parse("p").unwrap(),
        application: ApplicationId::parse("app").unwrap(),
        client_id: None,
        client_certificate: None,
        starting_ms: None,
        ending_ms: None,
        metadata: std::collections::BTreeMap::new(),
        keys: vec![KeyObject {
            id: "k".to_owned(),
            hash: hash.to_owned(),
            expires_ms: None,
        }],
    })
}

pub(super) fn snapshot(
    apis: Vec<Arc<ApiObject>>,
    subscriptions: Vec<Arc<SubscriptionObject>>,
) -> ConfigSnapshot {
    ConfigSnapshot {
        environment: "default".to_owned(),
        epoch: Epoch(1),
        revision: Revision(1),
        root: [0; 32],
        apis,
        subscriptions,
        shared: Default::default(),
        api_key_pepper: Secret::new(b"pepper".to_vec()),
    }
}

fn served(compilation: &Compilation) -> Vec<&str> {
    compilation
        .snapshot
        .apis()
        .iter()
        .map(|served| served.api.id.as_str())
        .collect()
}

pub(super) fn api_of<'s>(snapshot: &'s CompiledSnapshot, id: &str) -> &'s super::ServedApi {
    snapshot.find(id).unwrap()
}

#[test]
fn unchanged_objects_are_taken_over_by_identity_or_content() {
    let (first, second) = (object(definition("a", "/a")), object(definition("b", "/b")));
    let before = compile(
        &snapshot(vec![first.clone(), second], vec![]),
        None,
        &node(&[]),
    )
    .snapshot;
    let equal = object(definition("b", "/b"));
    let changed = object(definition("c", "/c"));
    let after = compile(
        &snapshot(vec![first, equal, changed], vec![]),
        Some(&before),
        &node(&[]),
    )
    .snapshot;
    for id in ["a", "b"] {
        assert!(
            Arc::ptr_eq(&api_of(&before, id).api, &api_of(&after, id).api),
            "{id}"
        );
    }
    assert!(after.serves("c") && !before.serves("c"));
    assert!(Arc::ptr_eq(&before.hasher, &after.hasher));
}

#[test]
fn a_new_subscription_leaves_the_api_and_other_indexes_alone() {
    let apis = vec![object(definition("a", "/a")), object(definition("b", "/b"))];
    let one = subscription("s", &"0".repeat(64));
    let before = compile(&snapshot(apis.clone(), vec![]), None, &node(&[])).snapshot;
    let after = compile(&snapshot(apis, vec![one]), Some(&before), &node(&[])).snapshot;
    let (old, new) = (api_of(&before, "a"), api_of(&after, "a"));
    assert!(Arc::ptr_eq(&old.api, &new.api));
    assert!(!Arc::ptr_eq(&old.subscriptions, &new.subscriptions));
    let (old, new) = (api_of(&before, "b"), api_of(&after, "b"));
    assert!(Arc::ptr_eq(&old.subscriptions, &new.subscriptions));
}

#[test]
fn an_unusable_key_is_refused_alone() {
    let known = subscription("s", "nonsense");
    let compiled = compile(
        &snapshot(vec![object(definition("a", "/a"))], vec![known]),
        None,
        &node(&[]),
    );
    assert_eq!(compiled.refused.len(), 1);
    let refusal = &compiled.refused[0];
    assert_eq!(
        (refusal.code, refusal.path.as_str()),
        ("invalid-subscription", "keys[0].hash")
    );
    assert_eq!(served(&compiled), ["a"]);
}

#[test]
fn stopped_planless_and_foreign_apis_are_left_out_without_a_refusal() {
    let mut stopped = ApiObject::clone(&object(definition("stopped", "/1")));
    stopped.started = false;
    let mut planless = definition("planless", "/2");
    planless["plans"][0]["status"] = json!("closed");
    let mut message = definition("message", "/3");
    message["type"] = json!("message");
    let objects = vec![
        Arc::new(stopped),
        object(planless),
        object(message),
        object(definition("served", "/4")),
    ];
    let compiled = compile(&snapshot(objects, vec![]), None, &node(&[]));
    assert_eq!(served(&compiled), ["served"]);
    assert_eq!(compiled.refused, []);
}

#[test]
fn plans_of_other_tags_are_not_served_here() {
    let mut tagged = definition("a", "/a");
    tagged["tags"] = json!(["eu", "us"]);
    tagged["plans"][0]["tags"] = json!(["eu"]);
    let objects = vec![object(tagged)];
    let count = |tags: &[&str]| {
        compile(&snapshot(objects.clone(), vec![]), None, &node(tags))
            .snapshot
            .apis()
            .len()
    };
    assert_eq!(
        (
            count(&["eu"]),
            count(&["us"]),
            count(&["us", "!eu"]),
            count(&[])
        ),
        (1, 0, 0, 1)
    );
}

#[test]
fn a_path_that_two_apis_claim_stays_with_one_and_is_reported() {
    let objects = vec![
        object(definition("b", "/x")),
        object(definition("a", "/x/")),
    ];
    let compiled = compile(&snapshot(objects, vec![]), None, &node(&[]));
    assert_eq!(compiled.refused.len(), 1);
    let refusal = &compiled.refused[0];
    assert_eq!((refusal.id.as_str(), refusal.code), ("b", "path-conflict"));
    assert_eq!(refusal.path, "listeners[0].paths[0]");
    assert!(refusal.message.contains("API a"), "{}", refusal.message);
}

#[test]
fn what_cannot_be_compiled_is_refused_with_its_place() {
    type Break = fn(&mut Value);
    let cases: [(&str, Break); 5] = [
        ("endpointGroups[0].endpoints[0]", |api| {
            api["endpointGroups"][0]["endpoints"][0]["configuration"]["target"] = json!("ftp://x");
        }),
        ("plans[0].security", |api| {
            api["plans"][0]["security"]["type"] = json!("jwt")
        }),
        ("plans[0].selectionRule", |api| {
            api["plans"][0]["selectionRule"] = json!("#request.(")
        }),
        ("flows[0].selectors[0].path", |api| {
            api["flows"] =
                json!([{"selectors": [{"type": "http", "path": "/a(", "pathOperator": "EQUALS"}]}]);
        }),
        ("flows[0].response[0]", |api| {
            api["flows"] = json!([{"response": [{"policy": "unknown"}]}]);
        }),
    ];
    for (place, change) in cases {
        let mut broken = definition("a", "/a");
        change(&mut broken);
        let compiled = compile(&snapshot(vec![object(broken)], vec![]), None, &node(&[]));
        assert_eq!(compiled.refused.len(), 1, "{place}");
        let refusal = &compiled.refused[0];
        assert!(refusal.path.starts_with(place), "{place}: {refusal:?}");
        assert_eq!(served(&compiled), Vec::<&str>::new());
    }
}

#[test]
fn servers_are_called_as_the_settings_of_the_edge_call_them() {
    let mut node = node(&[]);
    node.servers.http = "internal".to_owned();
    for (wanted, on_http, on_https) in [
        (json!([]), true, true),
        (json!(["internal"]), true, false),
        (json!(["https"]), false, true),
        (json!(["http"]), false, false),
    ] {
        let mut definition = definition("a", "/a");
        definition["listeners"][0]["servers"] = wanted.clone();
        let snapshot = ConfigSnapshot {
            environment: "default".to_owned(),
            epoch: Epoch(1),
            revision: Revision(1),
            root: [0; 32],
            apis: vec![object(definition)],
            subscriptions: Vec::new(),
            shared: tidegate_model::SharedObjects::default(),
            api_key_pepper: Secret::new(Vec::new()),
        };
        let Compilation { snapshot, refused } = compile(&snapshot, None, &node);
        assert_eq!(refused, []);
        for (server, expected) in [("http", on_http), ("https", on_https)] {
            let found = snapshot.routers().of(server).find(None, "/a/");
            assert_eq!(found.is_some(), expected, "{wanted} on {server}");
        }
    }
}
