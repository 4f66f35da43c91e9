//! Endpoint groups and endpoints: options of the connection become shared configuration.

use std::collections::{HashMap, HashSet};

use serde_json::{Value, json};

use super::{Conversion, HTTP_PROXY, Members, carry, is_empty, services, take};
use crate::read::{is_same_label, member_path};

/// Members that hold options of the connection.
const CONNECTION: &[&str] = &["http", "ssl", "proxy", "headers", "hostHeader"];
/// Options of HTTP that version 4 does not have.
const GONE: &[&str] = &["maxHeaderSize", "maxChunkSize", "dumpRequest"];
/// Options that matter to HTTP/2 only.
const HTTP2: &[&str] = &[
    "clearTextUpgrade",
    "http2MultiplexingLimit",
    "http2ConnectionWindowSize",
    "http2StreamWindowSize",
    "http2MaxFrameSize",
];
/// Defaults of the old format that are others in version 4, written out so that nothing changes.
const DEFAULTS: &[(&str, u32)] = &[("connectTimeout", 5_000), ("maxConcurrentConnections", 100)];
/// The name of a group that has none.
const DEFAULT_GROUP: &str = "default-group";

/// Converts `groups`, or the endpoints that the oldest definitions have in `proxy` itself.
pub(super) fn groups(
    proxy: &mut Members,
    services: &services::Root,
    conversion: &mut Conversion,
) -> Vec<Value> {
    let mut groups = conversion.take_objects(proxy, &["groups"], "proxy");
    let is_flat = groups.is_empty() && proxy.contains_key("endpoints");
    if is_flat {
        let mut group = Members::new();
        let balancer = ["load_balancing", "loadBalancing"];
        for name in CONNECTION.iter().chain(&["endpoints"]).chain(&balancer) {
            carry(proxy, &[name], &mut group, name);
        }
        conversion.notice(
            "proxy.endpoints",
            "the endpoints became a group of their own",
        );
        groups.push(("proxy".to_owned(), group));
    }
    let mut names = Names::default();
    groups
        .into_iter()
        .map(|(path, group)| self::group(group, &path, is_flat, services, &mut names, conversion))
        .collect()
}

fn group(
    mut old: Members,
    path: &str,
    is_flat: bool,
    services: &services::Root,
    names: &mut Names,
    conversion: &mut Conversion,
) -> Value {
    conversion.once(
        path,
        "groups are called endpointGroups now, their http, ssl, proxy and headers sharedConfiguration",
    );
    let mut new = Members::new();
    let name = names.unique(take(&mut old, &["name"]), DEFAULT_GROUP, path, conversion);
    new.insert("name".to_owned(), name);
    new.insert("type".to_owned(), json!(HTTP_PROXY));
    let balancer = ["load_balancing", "loadBalancing", "loadBalancer"];
    if let Some(mut balancer) = conversion.take_object(&mut old, &balancer, path) {
        carry(&mut balancer, &["type"], &mut new, "loadBalancer");
        if let Some(kind) = new.get_mut("loadBalancer") {
            *kind = json!({"type": kind.take()});
        }
    }
    let shared = shared_configuration(&mut old, path, conversion);
    let group_services = services.of_group(&mut old, path, conversion);
    let is_checked = group_services.contains_key("healthCheck");
    let surroundings = Surroundings {
        shared: is_flat.then_some(&shared),
        is_checked: is_checked || services.has_health_check(),
    };
    let endpoints: Vec<Value> = conversion
        .take_objects(&mut old, &["endpoints"], path)
        .into_iter()
        .map(|(path, old)| endpoint(old, &path, &surroundings, names, conversion))
        .collect();
    new.insert("sharedConfiguration".to_owned(), Value::Object(shared));
    new.insert("endpoints".to_owned(), Value::Array(endpoints));
    if !group_services.is_empty() {
        new.insert("services".to_owned(), Value::Object(group_services));
    }
    conversion.left_out(&old, path);
    Value::Object(new)
}

/// What an endpoint has from its group.
struct Surroundings<'a> {
    /// The configuration that the oldest endpoints inherit without saying so.
    shared: Option<&'a Members>,
    /// Whether the group has a health check.
    is_checked: bool,
}

fn endpoint(
    mut old: Members,
    path: &str,
    group: &Surroundings<'_>,
    names: &mut Names,
    conversion: &mut Conversion,
) -> Value {
    let mut new = Members::new();
    let name = names.unique(take(&mut old, &["name"]), "default", path, conversion);
    new.insert("name".to_owned(), name);
    new.insert("type".to_owned(), json!(HTTP_PROXY));
    carry(&mut old, &["weight"], &mut new, "weight");
    if let Some(backup) = take(&mut old, &["backup"]) {
        conversion.once(
            member_path(path, "backup"),
            "backup is called secondary now",
        );
        new.insert("secondary".to_owned(), backup);
    }
    carry(&mut old, &["tenants"], &mut new, "tenants");
    if let Some(target) = target(&mut old, path, conversion) {
        new.insert("configuration".to_owned(), json!({"target": target}));
    }
    connection(&mut old, &mut new, path, group, conversion);
    if let Some(check) = health_check(&mut old, path, group, conversion) {
        new.insert("services".to_owned(), json!({"healthCheck": check}));
    }
    conversion.left_out(&old, path);
    Value::Object(new)
}

/// The group's options, or the endpoint's own.
fn connection(
    old: &mut Members,
    new: &mut Members,
    path: &str,
    group: &Surroundings<'_>,
    conversion: &mut Conversion,
) {
    let has_own = CONNECTION
        .iter()
        .any(|name| old.get(*name).is_some_and(|value| !is_empty(value)));
    let says = take(old, &["inherit"]);
    if says.is_some() {
        conversion.once(
            member_path(path, "inherit"),
            "inherit is called inheritConfiguration now",
        );
    }
    let inherits = says.unwrap_or(Value::Bool(group.shared.is_some() && !has_own));
    if has_own {
        let mut own = group
            .shared
            .map(|shared| conversion.copy(shared, path))
            .unwrap_or_default();
        let has_http = old.get("http").is_some_and(|http| !is_empty(http));
        let mut parts = shared_configuration(old, path, conversion);
        if !has_http && own.contains_key("http") {
            parts.shift_remove("http");
        }
        own.extend(parts);
        new.insert("sharedConfigurationOverride".to_owned(), Value::Object(own));
    } else {
        for name in CONNECTION {
            old.shift_remove(*name);
        }
        if inherits == Value::Bool(false) {
            let defaults = http_options(Members::new(), "", conversion);
            new.insert(
                "sharedConfigurationOverride".to_owned(),
                json!({"http": defaults}),
            );
        }
    }
    new.insert("inheritConfiguration".to_owned(), inherits);
}

/// The URL of an endpoint; gRPC is a scheme now.
fn target(old: &mut Members, path: &str, conversion: &mut Conversion) -> Option<Value> {
    let kind = take(old, &["type"]);
    let kind = kind.as_ref().and_then(Value::as_str).unwrap_or("http");
    let target = take(old, &["target"])?;
    if is_same_label(kind, "grpc") {
        let Some(text) = target.as_str() else {
            return Some(target);
        };
        let schemes = [("http://", "grpc://"), ("https://", "grpcs://")];
        let renamed = schemes
            .iter()
            .find_map(|(from, to)| Some(format!("{to}{}", text.strip_prefix(from)?)));
        conversion.notice(
            member_path(path, "type"),
            "the type grpc became the scheme grpc:// or grpcs:// of the target",
        );
        return Some(renamed.map_or(target, Value::String));
    }
    if !is_same_label(kind, "http") {
        let message = format!("the type {kind:?} is unknown; the endpoint speaks HTTP");
        conversion.notice(member_path(path, "type"), message);
    }
    Some(target)
}

/// What an endpoint says about its health check, if that differs from its group's.
fn health_check(
    old: &mut Members,
    path: &str,
    group: &Surroundings<'_>,
    conversion: &mut Conversion,
) -> Option<Value> {
    let path = member_path(path, "healthcheck");
    let off = || json!({"type": "http-health-check", "enabled": false});
    let own = match take(old, &["healthcheck", "healthCheck"])? {
        Value::Bool(true) => return None,
        Value::Bool(false) => return group.is_checked.then(off),
        other => conversion.object(other, &path)?,
    };
    if own.get("enabled") == Some(&Value::Bool(false)) {
        return group.is_checked.then(off);
    }
    // Absent means that it has one of its own if it describes one.
    let describes = own.get("steps").is_some_and(|steps| !is_empty(steps));
    let inherits = own.get("inherit").and_then(Value::as_bool);
    if inherits.unwrap_or(!describes) {
        return None;
    }
    let mut check = services::health_check(own, &path, conversion);
    check.insert("overrideConfiguration".to_owned(), Value::Bool(true));
    Some(Value::Object(check))
}

/// Takes the options of the connection and makes one object of them.
fn shared_configuration(old: &mut Members, path: &str, conversion: &mut Conversion) -> Members {
    let mut shared = Members::new();
    let http = conversion.take_object(old, &["http"], path);
    let http = http_options(
        http.unwrap_or_default(),
        &member_path(path, "http"),
        conversion,
    );
    shared.insert("http".to_owned(), Value::Object(http));
    if let Some(ssl) = conversion.take_object(old, &["ssl"], path) {
        let ssl = ssl_options(ssl, &member_path(path, "ssl"), conversion);
        shared.insert("ssl".to_owned(), Value::Object(ssl));
    }
    if let Some(proxy) = conversion.take_object(old, &["proxy"], path) {
        shared.insert("proxy".to_owned(), Value::Object(proxy));
    }
    let headers = headers(old, path, conversion);
    if !headers.is_empty() {
        shared.insert("headers".to_owned(), Value::Array(headers));
    }
    shared
}

fn http_options(mut old: Members, path: &str, conversion: &mut Conversion) -> Members {
    // Version 1 had the options one level deeper.
    if let Some(Value::Object(inner)) = old.shift_remove("configuration") {
        old.extend(inner);
    }
    for name in GONE {
        if old.shift_remove(*name).is_some() {
            conversion.once(
                path,
                "maxHeaderSize, maxChunkSize and dumpRequest have no counterpart in v4 and are left out",
            );
        }
    }
    let version = old.get("version").and_then(Value::as_str);
    if version.is_none_or(|version| is_same_label(version, "HTTP_1_1")) {
        for name in HTTP2 {
            old.shift_remove(*name);
        }
    }
    for (name, default) in DEFAULTS {
        if old.get(*name).is_none_or(Value::is_null) {
            old.insert((*name).to_owned(), json!(default));
        }
    }
    old
}

/// `pem` was the only trust store once.
fn ssl_options(mut ssl: Members, path: &str, conversion: &mut Conversion) -> Members {
    ssl.shift_remove("enabled");
    if let Some(pem) = take(&mut ssl, &["pem"])
        && !is_empty(&pem)
    {
        conversion.notice(member_path(path, "pem"), "pem became trustStore.content");
        ssl.entry("trustStore")
            .or_insert_with(|| json!({"type": "PEM", "content": pem}));
    }
    ssl
}

/// Headers are a list now; they were a map at first, and `Host` had a member of its own.
fn headers(old: &mut Members, path: &str, conversion: &mut Conversion) -> Vec<Value> {
    let mut headers = match take(old, &["headers"]) {
        None => Vec::new(),
        Some(Value::Array(headers)) => headers,
        Some(Value::Object(by_name)) => by_name
            .into_iter()
            .map(|(name, value)| json!({"name": name, "value": value}))
            .collect(),
        Some(_) => {
            // Not shown: headers hold credentials.
            conversion.wrong(&member_path(path, "headers"), &json!({}), "a list");
            Vec::new()
        }
    };
    if let Some(host) = take(old, &["hostHeader"])
        && !is_empty(&host)
    {
        conversion.notice(
            member_path(path, "hostHeader"),
            "hostHeader became the header Host",
        );
        headers.push(json!({"name": "Host", "value": host}));
    }
    headers
}

/// Names of groups and endpoints, which share one name space now.
#[derive(Default)]
struct Names {
    taken: HashSet<String>,
    /// The last number that was given to copies of a name, so that many copies do not search for theirs.
    numbers: HashMap<String, u64>,
}

impl Names {
    /// The name, or one made from it that no other group or endpoint has; colons separate a name from a path.
    fn unique(
        &mut self,
        name: Option<Value>,
        default: &str,
        path: &str,
        conversion: &mut Conversion,
    ) -> Value {
        let name = match name {
            None => default.to_owned(),
            Some(Value::String(name)) => name,
            Some(other) => return other,
        };
        let clean = name.replace(':', "-");
        let mut unique = clean.clone();
        while self.taken.contains(&unique) {
            let number = self.numbers.entry(clean.clone()).or_insert(1);
            *number += 1;
            unique = format!("{clean}-{number}");
        }
        self.taken.insert(unique.clone());
        if unique != name {
            let message =
                format!("{name} is called {unique} now: names are unique in the API, without ':'");
            conversion.notice(member_path(path, "name"), message);
        }
        Value::String(unique)
    }
}
