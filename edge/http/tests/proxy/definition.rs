//! Definitions as the control plane would send them.

use std::sync::Arc;

use aws_lc_rs::hmac;
use serde_json::{Value, json};
use tidegate_model::{
    ApiId, ApiObject, ApplicationId, ConfigSnapshot, Epoch, KeyObject, PlanId, Revision, Secret,
    SubscriptionId, SubscriptionObject,
};

pub const PEPPER: &[u8] = b"pepper";

/// A started API on `path` with one key-less plan and round-robin over `targets`.
pub fn api(id: &str, path: &str, targets: &[&str]) -> Value {
    let endpoints: Vec<Value> = (0..)
        .zip(targets)
        .map(|(number, target)| {
            json!({"name": format!("e{number}"), "type": "http-proxy", "inheritConfiguration": true,
                   "configuration": {"target": target}})
        })
        .collect();
    json!({
        "id": id, "name": id, "apiVersion": "1", "type": "proxy",
        "listeners": [{"type": "http", "paths": [{"path": path}],
                       "entrypoints": [{"type": "http-proxy"}]}],
        "endpointGroups": [{"name": "default", "type": "http-proxy",
                            "loadBalancer": {"type": "round-robin"},
                            "sharedConfiguration": {}, "endpoints": endpoints}],
        "plans": [keyless_plan()],
        "flows": []
    })
}

pub fn keyless_plan() -> Value {
    json!({"id": "open", "name": "open", "status": "published", "security": {"type": "key-less"}})
}

pub fn key_plan(id: &str) -> Value {
    json!({"id": id, "name": id, "status": "published", "security": {"type": "api-key"}})
}

pub fn flow(path: &str, operator: &str, request: &Value, response: &Value) -> Value {
    json!({"name": path, "enabled": true, "request": request, "response": response,
           "selectors": [{"type": "http", "path": path, "pathOperator": operator}]})
}

/// A step that adds a header.
pub fn add_header(name: &str, value: &str) -> Value {
    json!({"policy": "transform-headers", "enabled": true,
           "configuration": {"addHeaders": [{"name": name, "value": value}]}})
}

pub fn object(definition: Value) -> Arc<ApiObject> {
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

pub fn subscription(id: &str, api: &str, plan: &str, key: &str) -> SubscriptionObject {
    let hash = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, PEPPER), key.as_bytes());
    let hash = hash
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    SubscriptionObject {
        id: SubscriptionId::parse(id).unwrap(),
        api: ApiId::parse(api).unwrap(),
        plan: PlanId::parse(plan).unwrap(),
        application: ApplicationId::parse("app").unwrap(),
        client_id: None,
        client_certificate: None,
        starting_ms: None,
        ending_ms: None,
        metadata: std::collections::BTreeMap::new(),
        keys: vec![KeyObject {
            id: format!("{id}-key"),
            hash,
            expires_ms: None,
        }],
    }
}

pub fn snapshot(
    revision: u64,
    apis: Vec<Arc<ApiObject>>,
    subscriptions: Vec<SubscriptionObject>,
) -> ConfigSnapshot {
    ConfigSnapshot {
        environment: "default".to_owned(),
        epoch: Epoch(1),
        revision: Revision(revision),
        root: [0; 32],
        apis,
        subscriptions: subscriptions.into_iter().map(Arc::new).collect(),
        shared: Default::default(),
        api_key_pepper: Secret::new(PEPPER.to_vec()),
    }
}
