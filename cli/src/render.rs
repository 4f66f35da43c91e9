//! Operator-API messages as JSON values: the stable shape of `-o json`.

use serde_json::{Map, Value, json};
use tidegate_proto::admin::v1 as pb;

use crate::{
    output::{Column, column, wide},
    timestamp,
};

pub(crate) const API_COLUMNS: &[Column] = &[
    column("NAME", "name"),
    column("STATE", "state"),
    column("DEPLOYMENT", "deploymentState"),
    column("NUMBER", "deploymentNumber"),
    column("ENTRYPOINTS", "entrypoints"),
    wide("TAGS", "tags"),
    wide("ETAG", "etag"),
    wide("ID", "id"),
];

pub(crate) const PLAN_COLUMNS: &[Column] = &[
    column("NAME", "name"),
    column("SECURITY", "security"),
    column("STATUS", "status"),
    column("API", "apiName"),
    column("ID", "id"),
];

pub(crate) const DEPLOYMENT_COLUMNS: &[Column] = &[
    column("NUMBER", "number"),
    column("CURRENT", "current"),
    column("LABEL", "label"),
    column("AUTHOR", "author"),
    column("CREATED", "createdAt"),
    column("MESSAGE", "message"),
    wide("ROLLBACK OF", "rollbackOf"),
    wide("REFUSALS", "refusals"),
];

pub(crate) const APPLICATION_COLUMNS: &[Column] = &[
    column("NAME", "name"),
    column("CLIENT ID", "clientId"),
    column("ID", "id"),
    wide("CREATED", "createdAt"),
];

pub(crate) const ASSET_COLUMNS: &[Column] = &[
    column("NAME", "name"),
    column("DEPLOYMENT", "deploymentState"),
    column("NUMBER", "deploymentNumber"),
    column("ALIAS", "alias"),
    column("ERROR", "error"),
    wide("FETCHED", "fetchedAt"),
    wide("ETAG", "etag"),
    column("ID", "id"),
];

pub(crate) const SUBSCRIPTION_COLUMNS: &[Column] = &[
    column("ID", "id"),
    column("STATUS", "status"),
    column("API", "api"),
    column("PLAN", "plan"),
    column("APPLICATION", "application"),
    wide("STARTS", "startingAt"),
    wide("ENDS", "endingAt"),
];

pub(crate) const KEY_COLUMNS: &[Column] = &[
    column("ID", "id"),
    column("HINT", "hint"),
    column("CREATED", "createdAt"),
    column("EXPIRES", "expiresAt"),
    column("REVOKED", "revokedAt"),
];

pub(crate) const EDGE_COLUMNS: &[Column] = &[
    column("ID", "id"),
    column("CONNECTED", "connected"),
    column("REGION", "region"),
    column("TAGS", "tags"),
    column("REVISION", "revision"),
    column("LAG", "lag"),
    column("LAST REFUSAL", "lastRefusal"),
    wide("NODE", "nodeId"),
    wide("VERSION", "version"),
    wide("LAST SEEN", "lastSeenAt"),
];

pub(crate) const TOKEN_COLUMNS: &[Column] = &[
    column("ID", "id"),
    column("NAME", "name"),
    column("ROLE", "role"),
    column("EXPIRES", "expiresAt"),
    wide("TAGS", "tags"),
    wide("CREATED", "createdAt"),
];

pub(crate) const TAG_COLUMNS: &[Column] = &[
    column("TAG", "tag"),
    column("APIS", "apis"),
    column("PLANS", "plans"),
    column("EDGES", "edges"),
];

pub(crate) const MEMBER_COLUMNS: &[Column] = &[
    column("ID", "id"),
    column("ROLE", "role"),
    column("LEADER", "leader"),
    column("GRPC", "grpcAddress"),
    column("RAFT", "raftAddress"),
    wide("MATCHED", "matchedIndex"),
];

/// The name of a kind of asset.
pub(crate) fn asset_kind(kind: pb::AssetKind) -> &'static str {
    match kind {
        pb::AssetKind::Unspecified => "",
        pb::AssetKind::SharedPolicyGroup => "shared-policy-group",
        pb::AssetKind::Dictionary => "dictionary",
        pb::AssetKind::Organization => "organization",
    }
}

/// The kind of asset that a manifest is of.
pub(crate) fn kind_of_manifest(kind: &str) -> Option<pb::AssetKind> {
    match kind {
        "SharedPolicyGroup" => Some(pb::AssetKind::SharedPolicyGroup),
        "Dictionary" => Some(pb::AssetKind::Dictionary),
        "Organization" => Some(pb::AssetKind::Organization),
        _ => None,
    }
}

/// An asset; its document and entries only if the message has them.
pub(crate) fn asset(asset: &pb::Asset) -> Value {
    let state = match (asset.deployed, asset.in_sync) {
        (false, _) => "UNDEPLOYED",
        (true, true) => "DEPLOYED",
        (true, false) => "NEED_REDEPLOY",
    };
    let mut value = json!({
        "kind": asset_kind(asset.kind()),
        "id": asset.id,
        "name": asset.name,
        "alias": asset.alias,
        "deploymentState": state,
        "deploymentNumber": asset.deployment_number,
        "usedBy": asset.used_by,
        "etag": asset.etag,
        "createdAt": timestamp::to_text(asset.created_ms),
        "updatedAt": timestamp::to_text(asset.updated_ms),
    });
    if let Some(feed) = &asset.feed {
        feed_into(feed, &mut value);
    }
    if !asset.document.is_empty() {
        value["document"] = serde_json::from_slice(&asset.document).unwrap_or_default();
    }
    value
}

/// What was fetched, and why it was not lately.
fn feed_into(feed: &pb::Feed, value: &mut Value) {
    let time = |ms: u64| (ms > 0).then(|| timestamp::to_text(ms));
    value["fetchedAt"] = json!(time(feed.fetched_ms));
    value["error"] = json!(feed.error);
    value["failingSince"] = json!(time(feed.failing_since_ms));
    if !feed.entries.is_empty() {
        let entries: std::collections::BTreeMap<_, _> = feed.entries.iter().collect();
        value["entries"] = json!(entries);
    }
}

pub(crate) fn api(api: &pb::Api) -> Value {
    let mut value = json!({
        "id": api.id,
        "name": api.name,
        "version": api.version,
        "type": api.r#type,
        "state": short(api.state().as_str_name(), "API_STATE_"),
        "deploymentState": short(api.deployment_state().as_str_name(), "DEPLOYMENT_STATE_"),
        "deploymentNumber": api.deployment_number,
        "tags": api.tags,
        "entrypoints": api.entrypoints,
        "plans": api.plans.iter().map(plan).collect::<Vec<_>>(),
        "etag": api.etag,
        "createdAt": timestamp::to_text(api.created_ms),
        "updatedAt": timestamp::to_text(api.updated_ms),
    });
    if let Some(feed) = &api.feed {
        let mut fetched = json!({});
        feed_into(feed, &mut fetched);
        value["dynamicProperties"] = fetched;
    }
    value
}

pub(crate) fn plan(plan: &pb::Plan) -> Value {
    json!({
        "id": plan.id,
        "name": plan.name,
        "security": plan.security,
        "status": plan.status,
        "apiId": plan.api_id,
    })
}

pub(crate) fn deployment(deployment: &pb::Deployment) -> Value {
    json!({
        "number": deployment.number,
        "label": deployment.label,
        "message": deployment.message,
        "author": deployment.author,
        "createdAt": timestamp::to_text(deployment.created_ms),
        "revision": deployment.revision,
        "rollbackOf": (deployment.rollback_of != 0).then_some(deployment.rollback_of),
        "current": deployment.current,
        "refusals": deployment.refusals.iter().map(refusal).collect::<Vec<_>>(),
    })
}

pub(crate) fn refusal(refusal: &pb::EdgeRefusal) -> Value {
    json!({
        "edge": refusal.edge_id,
        "code": refusal.code,
        "path": refusal.path,
        "message": refusal.message,
        "time": timestamp::to_text(refusal.time_ms),
    })
}

pub(crate) fn application(application: &pb::Application) -> Value {
    json!({
        "id": application.id,
        "name": application.name,
        "description": application.description,
        "clientId": text(&application.client_id),
        "hasClientCertificate": !application.client_certificate.is_empty(),
        "etag": application.etag,
        "createdAt": timestamp::to_text(application.created_ms),
        "updatedAt": timestamp::to_text(application.updated_ms),
    })
}

pub(crate) fn subscription(subscription: &pb::Subscription) -> Value {
    json!({
        "id": subscription.id,
        "status": short(subscription.status().as_str_name(), "SUBSCRIPTION_STATUS_"),
        "api": subscription.api_id,
        "plan": subscription.plan_id,
        "application": subscription.application_id,
        "startingAt": timestamp::to_text(subscription.starting_ms),
        "endingAt": timestamp::to_text(subscription.ending_ms),
        "metadata": sorted(&subscription.metadata, |value| json!(value)),
        "etag": subscription.etag,
        "createdAt": timestamp::to_text(subscription.created_ms),
        "updatedAt": timestamp::to_text(subscription.updated_ms),
    })
}

/// A subscription with the key that was just made for it, if one was.
pub(crate) fn created_subscription(created: &pb::CreateSubscriptionResponse) -> Value {
    let mut value = created
        .subscription
        .as_ref()
        .map_or_else(|| json!({}), subscription);
    if !created.api_key.is_empty() {
        value["apiKey"] = json!(created.api_key);
    }
    if let Some(key) = &created.key {
        value["keyId"] = json!(key.id);
    }
    value
}

pub(crate) fn key(key: &pb::ApiKey) -> Value {
    json!({
        "id": key.id,
        "subscription": key.subscription_id,
        "hint": key.hint,
        "createdAt": timestamp::to_text(key.created_ms),
        "expiresAt": timestamp::to_text(key.expires_ms),
        "revokedAt": timestamp::to_text(key.revoked_ms),
    })
}

pub(crate) fn edge(edge: &pb::Edge) -> Value {
    json!({
        "id": edge.id,
        "connected": edge.connected,
        "environment": edge.environment,
        "region": edge.region,
        "tags": edge.tags,
        "revision": edge.revision,
        "lag": edge.lag,
        "lastRefusal": text(&edge.last_refusal),
        "nodeId": edge.node_id,
        "version": edge.version,
        "connectedSince": timestamp::to_text(edge.connected_since_ms),
        "lastSeenAt": timestamp::to_text(edge.last_seen_ms),
        "addresses": sorted(&edge.addresses, |value| json!(value)),
        "alarms": sorted(&edge.alarms, |value| json!(value)),
        "refusals": edge.refusals.iter().map(object_refusal).collect::<Vec<_>>(),
    })
}

fn object_refusal(refusal: &pb::ObjectRefusal) -> Value {
    json!({
        "kind": refusal.kind,
        "id": refusal.id,
        "code": refusal.code,
        "path": refusal.path,
        "message": refusal.message,
    })
}

pub(crate) fn token(token: &pb::Token) -> Value {
    json!({
        "id": token.id,
        "name": token.name,
        "role": short(token.role().as_str_name(), "ROLE_").to_lowercase(),
        "tags": token.tags,
        "createdAt": timestamp::to_text(token.created_ms),
        "expiresAt": timestamp::to_text(token.expires_ms),
    })
}

pub(crate) fn identity(identity: &pb::Identity) -> Value {
    json!({
        "id": identity.token_id,
        "name": identity.name,
        "role": short(identity.role().as_str_name(), "ROLE_").to_lowercase(),
        "expiresAt": timestamp::to_text(identity.expires_ms),
    })
}

pub(crate) fn tag(tag: &pb::TagUse) -> Value {
    json!({ "tag": tag.tag, "apis": tag.apis, "plans": tag.plans, "edges": tag.edges })
}

pub(crate) fn member(member: &pb::Member) -> Value {
    json!({
        "id": member.id,
        "role": member.role,
        "leader": member.leader,
        "grpcAddress": member.grpc_address,
        "raftAddress": member.raft_address,
        "matchedIndex": (member.matched_index != 0).then_some(member.matched_index),
    })
}

pub(crate) fn cluster(status: &pb::ClusterStatus) -> Value {
    json!({
        "clusterId": status.cluster_id,
        "epoch": status.epoch,
        "revision": status.revision,
        "leaderId": (status.leader_id != 0).then_some(status.leader_id),
        "term": status.term,
        "nodeId": status.node_id,
        "version": status.version,
        "members": status.members.iter().map(member).collect::<Vec<_>>(),
    })
}

pub(crate) fn apply_result(result: &pb::ApplyResult) -> Value {
    json!({
        "source": result.source,
        "kind": result.kind,
        "id": result.id,
        "name": result.name,
        "outcome": short(result.outcome().as_str_name(), "OUTCOME_").to_lowercase(),
        "etag": result.etag,
        "notices": result.notices.iter().map(notice).collect::<Vec<_>>(),
        "deployment": result.deployment.as_ref().map(deployment),
        "diff": text(&result.diff),
    })
}

fn notice(notice: &pb::Notice) -> Value {
    json!({ "code": notice.code, "path": notice.path, "message": notice.message })
}

pub(crate) fn difference(difference: &pb::Difference) -> Value {
    let side = |json_text: &str| match json_text {
        "" => Value::Null,
        text => serde_json::from_str(text).unwrap_or_else(|_not_json| json!(text)),
    };
    json!({
        "path": difference.path,
        "from": side(&difference.from),
        "to": side(&difference.to),
    })
}

pub(crate) fn watch_event(event: &pb::WatchEvent) -> Value {
    json!({
        "operation": short(event.operation().as_str_name(), "OPERATION_"),
        "kind": event.kind,
        "id": event.id,
        "name": event.name,
        "revision": event.revision,
        "time": timestamp::to_text(event.time_ms),
        "actor": event.actor,
    })
}

fn text(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

fn short<'a>(name: &'a str, prefix: &str) -> &'a str {
    name.strip_prefix(prefix).unwrap_or(name)
}

/// Maps of protobuf have no order; members of `-o json` do.
fn sorted<T>(
    map: &std::collections::HashMap<String, T>,
    value: impl Fn(&T) -> Value,
) -> Map<String, Value> {
    let mut members: Vec<_> = map.iter().collect();
    members.sort_by_key(|(name, _)| *name);
    members
        .into_iter()
        .map(|(name, item)| (name.clone(), value(item)))
        .collect()
}
