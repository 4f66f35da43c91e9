//! `proxy`: where the API accepts clients, its failover and its logging.

use serde_json::{Value, json};

use super::{
    Conversion, HTTP_PROXY, Members, carry, endpoints, in_braces, services, take, take_flag,
};
use crate::read::{is_same_label, member_path};

/// The longest retry timeout of version 4 and the shortest, in milliseconds.
const RETRY_TIMEOUT_MS: std::ops::RangeInclusive<u64> = 1..=86_400_000;

/// Converts `proxy` and what belongs to it.
pub(super) fn convert(
    old: &mut Members,
    services: &services::Root,
    new: &mut Members,
    flows: &mut Vec<Value>,
    conversion: &mut Conversion,
) {
    let mut proxy = conversion
        .take_object(old, &["proxy"], "")
        .unwrap_or_default();
    let mut listener = listener(&mut proxy, conversion);
    if let Some(mappings) = take(old, &["path_mappings", "pathMappings"]) {
        conversion.once("path_mappings", "path_mappings belong to the listener now");
        listener.insert("pathMappings".to_owned(), mappings);
    }
    new.insert("listeners".to_owned(), json!([listener]));
    let groups = endpoints::groups(&mut proxy, services, conversion);
    new.insert("endpointGroups".to_owned(), Value::Array(groups));
    if let Some(failover) = conversion.take_object(&mut proxy, &["failover"], "proxy") {
        new.insert("failover".to_owned(), self::failover(failover, conversion));
    }
    if let Some(logging) = conversion.take_object(&mut proxy, &["logging"], "proxy") {
        let logging = self::logging(logging, conversion);
        new.insert("analytics".to_owned(), json!({"logging": logging}));
    }
    if take_flag(&mut proxy, &["preserve_host", "preserveHost"]) {
        preserve_host(new, flows, conversion);
    }
    // The gateway always removed the context path before it called an endpoint, and a tenant needs no switch.
    for name in [
        "strip_context_path",
        "stripContextPath",
        "multiTenant",
        "multi_tenant",
    ] {
        proxy.shift_remove(name);
    }
    conversion.left_out(&proxy, "proxy");
}

fn listener(proxy: &mut Members, conversion: &mut Conversion) -> Members {
    let hosts = conversion.take_objects(proxy, &["virtual_hosts", "virtualHosts"], "proxy");
    let mut paths: Vec<Value> = hosts
        .into_iter()
        .map(|(path, host)| virtual_host(host, &path, conversion))
        .collect();
    let context_path = take(proxy, &["context_path", "contextPath"]);
    if let Some(path) = context_path.filter(|_| paths.is_empty()) {
        let message = "context_path became a path of the listener";
        conversion.notice("proxy.context_path", message);
        paths.push(json!({"path": path}));
    }
    let mut listener = Members::new();
    listener.insert("type".to_owned(), json!("http"));
    listener.insert("paths".to_owned(), Value::Array(paths));
    carry(proxy, &["cors"], &mut listener, "cors");
    carry(proxy, &["servers"], &mut listener, "servers");
    listener.insert("entrypoints".to_owned(), json!([{"type": HTTP_PROXY}]));
    listener
}

fn virtual_host(mut old: Members, path: &str, conversion: &mut Conversion) -> Value {
    conversion.once(path, "virtual_hosts are called paths of the listener now");
    let mut new = Members::new();
    carry(&mut old, &["host"], &mut new, "host");
    carry(&mut old, &["path"], &mut new, "path");
    let names = ["override_entrypoint", "overrideEntrypoint"];
    if let Some(overrides) = take(&mut old, &names) {
        conversion.once(
            member_path(path, "override_entrypoint"),
            "override_entrypoint is called overrideAccess now",
        );
        new.insert("overrideAccess".to_owned(), overrides);
    }
    conversion.left_out(&old, path);
    Value::Object(new)
}

fn failover(mut old: Members, conversion: &mut Conversion) -> Value {
    let path = "proxy.failover";
    let mut new = Members::new();
    new.insert("enabled".to_owned(), json!(true));
    let attempts = take(&mut old, &["maxAttempts", "max_attempts"]).unwrap_or_else(|| json!(1));
    new.insert("maxRetries".to_owned(), attempts);
    match take(&mut old, &["retryTimeout", "retry_timeout"]).unwrap_or_else(|| json!(10_000)) {
        Value::Number(timeout)
            if timeout
                .as_u64()
                .is_some_and(|timeout| !RETRY_TIMEOUT_MS.contains(&timeout)) =>
        {
            let message = format!("a timeout of {timeout} ms is not possible; the default applies");
            conversion.notice(member_path(path, "retryTimeout"), message);
        }
        timeout => {
            new.insert("slowCallDuration".to_owned(), timeout);
        }
    }
    let message = "maxAttempts and retryTimeout became maxRetries and slowCallDuration; the calls are guarded by a \
                   circuit breaker now";
    conversion.notice(path, message);
    old.shift_remove("cases");
    conversion.left_out(&old, path);
    Value::Object(new)
}

/// One switch per part of the log, where the old format has names for their combinations.
fn logging(mut old: Members, conversion: &mut Conversion) -> Value {
    let path = "proxy.logging";
    conversion.once(path, "logging is called analytics.logging now");
    let has = |name: &str, default: &str, part: &str| {
        let chosen = old.get(name).and_then(Value::as_str).unwrap_or(default);
        chosen.split('_').any(|chosen| is_same_label(chosen, part))
    };
    let (client, proxied) = (has("mode", "NONE", "CLIENT"), has("mode", "NONE", "PROXY"));
    let scope = "REQUEST_RESPONSE";
    let (request, response) = (
        has("scope", scope, "REQUEST"),
        has("scope", scope, "RESPONSE"),
    );
    let content = "HEADERS_PAYLOADS";
    let (headers, payload) = (
        has("content", content, "HEADERS"),
        has("content", content, "PAYLOADS"),
    );
    let mut new = Members::new();
    new.insert(
        "mode".to_owned(),
        json!({"entrypoint": client, "endpoint": proxied}),
    );
    new.insert(
        "phase".to_owned(),
        json!({"request": request, "response": response}),
    );
    new.insert(
        "content".to_owned(),
        json!({"headers": headers, "payload": payload}),
    );
    if let Some(Value::String(condition)) = take(&mut old, &["condition"])
        && !condition.trim().is_empty()
    {
        new.insert("condition".to_owned(), json!(in_braces(condition.trim())));
    }
    for name in ["mode", "scope", "content"] {
        old.shift_remove(name);
    }
    conversion.left_out(&old, path);
    Value::Object(new)
}

/// Version 4 sends the host of the target unless a policy sets another; so a policy does.
fn preserve_host(new: &Members, flows: &mut Vec<Value>, conversion: &mut Conversion) {
    let path = "proxy.preserve_host";
    let mode = new
        .get("flowExecution")
        .and_then(|execution| execution.get("mode"))
        .and_then(Value::as_str);
    if mode.is_some_and(|mode| is_same_label(mode, "best-match")) {
        // A flow for every path would win over none of the others, and so would not run.
        let message = "preserve_host has no counterpart in v4: set the header Host with transform-headers in every flow";
        conversion.notice(path, message);
        return;
    }
    conversion.notice(
        path,
        "preserve_host became a flow that sets the header Host with transform-headers",
    );
    let header = json!({"name": "Host", "value": "{#request.headers['Host'][0]}"});
    flows.insert(
        0,
        json!({
            "name": "preserve host",
            "enabled": true,
            "selectors": [{"type": "http", "path": "/", "pathOperator": "STARTS_WITH"}],
            "request": [{
                "name": "preserve host",
                "policy": "transform-headers",
                "enabled": true,
                "configuration": {"addHeaders": [header]},
            }],
        }),
    );
}
