//! Services: health checks, discovery and dynamic properties.

use serde_json::{Value, json};

use super::{Conversion, Members, carry, is_empty, take};
use crate::read::{is_same_label, member_path};

/// The health check of version 4.
const HEALTH_CHECK: &str = "http-health-check";
/// The one discovery both versions know, by its old names.
const CONSUL: &[&str] = &["consul", "consul-service-discovery"];
/// Successes or failures in a row that change what is thought of an endpoint; not settable in the old format.
const THRESHOLD: u32 = 2;

/// The services of the root, which apply to every endpoint group.
#[derive(Default)]
pub(super) struct Root {
    health_check: Option<Members>,
    discovery: Option<Members>,
    dynamic_property: Option<(String, Members)>,
}

impl Root {
    /// Takes `services` out of the root.
    pub(super) fn take(old: &mut Members, conversion: &mut Conversion) -> Self {
        let path = "services";
        let Some(mut services) = conversion.take_object(old, &[path], "") else {
            return Self::default();
        };
        let health_check = conversion
            .take_object(&mut services, &["health-check", "healthCheck"], path)
            .map(|check| health_check(check, "services.health-check", conversion));
        let discovery = discovery(&mut services, path, conversion);
        let names = ["dynamic-property", "dynamicProperty"];
        let dynamic_property = conversion
            .take_object(&mut services, &names, path)
            .map(|service| (member_path(path, names[0]), service));
        conversion.left_out(&services, path);
        Self {
            health_check,
            discovery,
            dynamic_property,
        }
    }

    /// True if endpoints are checked unless they say otherwise.
    pub(super) fn has_health_check(&self) -> bool {
        self.health_check.is_some()
    }

    /// The services of a group: its own, else those of the root.
    pub(super) fn of_group(
        &self,
        group: &mut Members,
        path: &str,
        conversion: &mut Conversion,
    ) -> Members {
        let mut own = conversion
            .take_object(group, &["services"], path)
            .unwrap_or_default();
        let path = member_path(path, "services");
        let check = conversion
            .take_object(&mut own, &["health-check", "healthCheck"], &path)
            .map(|check| health_check(check, &member_path(&path, "health-check"), conversion));
        let discovery = discovery(&mut own, &path, conversion);
        conversion.left_out(&own, &path);
        let mut new = Members::new();
        for (name, own, inherited) in [
            ("healthCheck", check, &self.health_check),
            ("discovery", discovery, &self.discovery),
        ] {
            let inherited = || Some(conversion.copy(inherited.as_ref()?, &path));
            if let Some(service) = own.or_else(inherited) {
                new.insert(name.to_owned(), Value::Object(service));
            }
        }
        new
    }

    /// Writes the service that fills properties.
    pub(super) fn dynamic_property(&self, new: &mut Members, conversion: &mut Conversion) {
        let Some((path, service)) = &self.dynamic_property else {
            return;
        };
        if let Some(service) = dynamic_property(service.clone(), path, conversion) {
            new.insert("services".to_owned(), json!({"dynamicProperty": service}));
        }
    }
}

/// A health check: one request and the assertions about its response, which are one expression now.
pub(super) fn health_check(mut old: Members, path: &str, conversion: &mut Conversion) -> Members {
    let enabled = take(&mut old, &["enabled"]).unwrap_or(Value::Bool(true));
    let mut configuration = Members::new();
    if let Some(schedule) = schedule(&mut old, path, conversion) {
        configuration.insert("schedule".to_owned(), schedule);
    }
    let steps = conversion.take_objects(&mut old, &["steps"], path);
    if steps.len() > 1 {
        let message = "only the first step is kept: a v4 health check is one request";
        conversion.notice(member_path(path, "steps"), message);
    }
    if let Some((path, mut step)) = steps.into_iter().next() {
        if let Some(request) = conversion.take_object(&mut step, &["request"], &path) {
            check_request(
                request,
                &member_path(&path, "request"),
                &mut configuration,
                conversion,
            );
        }
        if let Some(response) = conversion.take_object(&mut step, &["response"], &path) {
            let path = member_path(&path, "response");
            check_response(response, &path, &mut configuration, conversion);
        }
        step.shift_remove("name");
        conversion.left_out(&step, &path);
    }
    configuration.insert("successThreshold".to_owned(), json!(THRESHOLD));
    configuration.insert("failureThreshold".to_owned(), json!(THRESHOLD));
    old.shift_remove("inherit");
    conversion.left_out(&old, path);
    conversion.once(path, "health-check became the service http-health-check");
    service(HEALTH_CHECK, enabled, Value::Object(configuration))
}

fn service(kind: &str, enabled: Value, configuration: Value) -> Members {
    Members::from_iter([
        ("type".to_owned(), json!(kind)),
        ("enabled".to_owned(), enabled),
        ("configuration".to_owned(), configuration),
    ])
}

fn check_request(
    mut request: Members,
    path: &str,
    configuration: &mut Members,
    conversion: &mut Conversion,
) {
    carry(&mut request, &["method"], configuration, "method");
    carry(&mut request, &["path", "uri"], configuration, "target");
    carry(&mut request, &["headers"], configuration, "headers");
    let from_root = take(&mut request, &["fromRoot", "from_root"]);
    configuration.insert(
        "overrideEndpointPath".to_owned(),
        from_root.unwrap_or(Value::Bool(false)),
    );
    conversion.left_out(&request, path);
}

fn check_response(
    mut response: Members,
    path: &str,
    configuration: &mut Members,
    conversion: &mut Conversion,
) {
    let assertions: Vec<String> = take(&mut response, &["assertions"])
        .as_ref()
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(|text| without_braces(text).to_owned())
        .filter(|text| !text.is_empty())
        .collect();
    let assertion = match assertions.as_slice() {
        [] => None,
        [one] => Some(format!("{{{one}}}")),
        many => {
            let message = "several assertions became one expression that demands all of them";
            conversion.notice(member_path(path, "assertions"), message);
            let parts: Vec<String> = many.iter().map(|part| format!("({part})")).collect();
            Some(format!("{{{}}}", parts.join(" && ")))
        }
    };
    if let Some(assertion) = assertion {
        configuration.insert("assertion".to_owned(), json!(assertion));
    }
    conversion.left_out(&response, path);
}

/// The expression in an assertion, which may stand in braces already.
fn without_braces(text: &str) -> &str {
    let text = text.trim();
    let inner = text
        .strip_prefix('{')
        .and_then(|text| text.strip_suffix('}'));
    // `{#a} and {#b}` begins and ends with braces that are no pair.
    inner
        .filter(|inner| {
            let opens = |close| inner.find('{').is_some_and(|open| open < close);
            inner.find('}').is_none_or(opens)
        })
        .unwrap_or(text)
        .trim()
}

fn discovery(services: &mut Members, path: &str, conversion: &mut Conversion) -> Option<Members> {
    let mut old = conversion.take_object(services, &["discovery"], path)?;
    let path = member_path(path, "discovery");
    let enabled = take(&mut old, &["enabled"]).unwrap_or(Value::Bool(true));
    let provider = take(&mut old, &["provider"]);
    let configuration = take(&mut old, &["configuration"]).unwrap_or_else(|| json!({}));
    conversion.left_out(&old, &path);
    let name = provider
        .as_ref()
        .and_then(Value::as_str)
        .unwrap_or_default();
    if CONSUL.iter().any(|known| is_same_label(known, name)) {
        return Some(service("consul-service-discovery", enabled, configuration));
    }
    if !is_empty(&enabled) || !name.is_empty() {
        let message = format!("discovery by {name:?} has no counterpart in v4 and is left out");
        conversion.notice(path, message);
    }
    None
}

fn dynamic_property(mut old: Members, path: &str, conversion: &mut Conversion) -> Option<Value> {
    let enabled = take(&mut old, &["enabled"]).unwrap_or(Value::Bool(true));
    let provider = take(&mut old, &["provider"]);
    let provider = provider.as_ref().and_then(Value::as_str).unwrap_or("HTTP");
    if !is_same_label(provider, "http") {
        let message = format!("properties from {provider:?} have no counterpart and are left out");
        conversion.notice(path, message);
        return None;
    }
    let mut configuration = Members::new();
    if let Some(schedule) = schedule(&mut old, path, conversion) {
        configuration.insert("schedule".to_owned(), schedule);
    }
    let mut own = conversion
        .take_object(&mut old, &["configuration"], path)
        .unwrap_or_default();
    for (from, to) in [
        ("method", "method"),
        ("url", "url"),
        ("headers", "headers"),
        ("body", "body"),
        ("specification", "transformation"),
        ("useSystemProxy", "systemProxy"),
    ] {
        carry(&mut own, &[from], &mut configuration, to);
    }
    configuration
        .entry("method")
        .or_insert_with(|| json!("GET"));
    conversion.left_out(&own, &member_path(path, "configuration"));
    conversion.left_out(&old, path);
    conversion.notice(
        path,
        "dynamic-property became services.dynamicProperty; specification is called transformation and \
         useSystemProxy is called systemProxy now",
    );
    Some(
        json!({"type": "http-dynamic-properties", "enabled": enabled, "configuration": configuration}),
    )
}

/// When a service runs, as six fields; the oldest definitions say `trigger: {rate, unit}`.
fn schedule(old: &mut Members, path: &str, conversion: &mut Conversion) -> Option<Value> {
    let trigger = conversion.take_object(old, &["trigger"], path);
    if let Some(schedule) = take(old, &["schedule"]) {
        return Some(schedule);
    }
    let mut trigger = trigger?;
    let path = member_path(path, "trigger");
    let rate = take(&mut trigger, &["rate"]).and_then(|rate| rate.as_u64());
    let unit = take(&mut trigger, &["unit"]);
    let unit = unit.as_ref().and_then(Value::as_str).unwrap_or("SECONDS");
    match rate.and_then(|rate| every(rate, unit)) {
        Some(schedule) => {
            conversion.notice(path, format!("trigger became the schedule {schedule:?}"));
            Some(json!(schedule))
        }
        None => {
            conversion.notice(path, "a trigger that is no schedule is left out");
            None
        }
    }
}

/// A schedule that runs every `rate` units, if the rate divides the next larger unit.
pub(super) fn every(rate: u64, unit: &str) -> Option<String> {
    let field = |whole: u64| match rate {
        1 => Some("*".to_owned()),
        rate if rate > 1 && rate < whole && whole.is_multiple_of(rate) => Some(format!("*/{rate}")),
        _ => None,
    };
    if is_same_label(unit, "seconds") {
        if rate > 0 && rate.is_multiple_of(60) {
            return every(rate / 60, "minutes");
        }
        return Some(format!("{} * * * * *", field(60)?));
    }
    if is_same_label(unit, "minutes") {
        if rate > 0 && rate.is_multiple_of(60) {
            return every(rate / 60, "hours");
        }
        return Some(format!("0 {} * * * *", field(60)?));
    }
    if is_same_label(unit, "hours") {
        return Some(format!("0 0 {} * * *", field(24)?));
    }
    None
}
