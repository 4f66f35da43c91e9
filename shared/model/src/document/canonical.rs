//! Labels, names and shapes: what the spellings write differently is made canonical here, and made upper case again
//! for exports. Every place is listed once, in [`visit`].

use serde_json::{Map, Value, json};

use crate::{
    api::{FlowMode, PathOperator},
    read::{Label, is_same_label, member_path, object_in_text},
    violation::Notice,
};

/// The canonical definition version.
pub(super) const DEFINITION_VERSION: &str = "4.0.0";
/// Suffix of entrypoint ids in old definitions.
const OLD_SUFFIX: &str = "-advanced";
/// Names of TLS stores in old definitions, and their present names.
const OLD_STORES: &[(&str, &str)] = &[("truststore", "trustStore"), ("keystore", "keyStore")];

/// What is done to one object of a document.
enum Part {
    Root,
    Listener,
    Entrypoint,
    Group,
    Endpoint,
    Service,
    Resource,
    Plan,
    Security,
    Flow,
    Selector,
    Step,
    Setting(&'static str),
}

type Members = Map<String, Value>;

/// Makes a document canonical.
pub(super) fn canonicalise(document: &mut Members, notices: &mut Vec<Notice>) {
    if let Some(version) = document.shift_remove("gravitee") {
        document.entry("definitionVersion").or_insert(version);
    }
    // Old runtime definitions and the operator call the API's version `version`.
    if !document.contains_key("apiVersion")
        && let Some(version) = document.shift_remove("version")
    {
        document.insert("apiVersion".to_owned(), version);
    }
    if !document.contains_key("plans") {
        document.insert("plans".to_owned(), json!([]));
    }
    plans_as_list(document);
    visit(document, &mut |part, members, path| {
        canonicalise_part(part, members, path, notices)
    });
}

/// Makes a shared policy group canonical.
pub(super) fn canonicalise_group(document: &mut Members, notices: &mut Vec<Notice>) {
    for name in ["apiType", "phase"] {
        if let Some(Value::String(text)) = document.get_mut(name) {
            *text = text.to_ascii_lowercase().replace('_', "-");
        }
    }
    each(document, "steps", "", &mut |step, path| {
        canonicalise_part(&Part::Step, step, path, notices);
    });
}

/// Makes flows that stand for themselves canonical, with how they are chosen.
pub(super) fn canonicalise_flows(document: &mut Members, notices: &mut Vec<Notice>) {
    one(document, "flowExecution", "", &mut |at, path| {
        canonicalise_part(&Part::Setting("flowExecution"), at, path, notices);
    });
    visit_flows(document, "", &mut |part, members, path| {
        canonicalise_part(part, members, path, notices);
    });
}

/// Writes the labels of a canonical document in upper case, as management does.
pub(super) fn upper_case(document: &mut Members) {
    visit(document, &mut |part, members, _| {
        for name in labels_of(part) {
            if let Some(Value::String(text)) = members.get_mut(*name) {
                *text = text.to_ascii_uppercase().replace('-', "_");
            }
        }
        if let Some(version) = members.get_mut("definitionVersion")
            && *version == DEFINITION_VERSION
        {
            *version = json!("V4");
        }
    });
}

/// The runtime keeps plans in a map by id at times.
fn plans_as_list(document: &mut Members) {
    let Some(plans) = document.get_mut("plans").filter(|plans| plans.is_object()) else {
        return;
    };
    let Value::Object(by_id) = plans.take() else {
        return;
    };
    let list = by_id.into_iter().map(|(id, mut plan)| {
        if let Value::Object(members) = &mut plan {
            members.entry("id").or_insert(Value::String(id));
        }
        plan
    });
    *plans = list.collect();
}

/// The members of a part whose value is a label in lower case.
fn labels_of(part: &Part) -> &'static [&'static str] {
    match part {
        Part::Root | Part::Listener | Part::Selector | Part::Security => &["type"],
        Part::Entrypoint => &["qos"],
        Part::Plan => &["mode", "status"],
        Part::Setting("loadBalancer" | "messageSampling") => &["type"],
        Part::Setting("flowExecution") => &["mode"],
        Part::Group
        | Part::Endpoint
        | Part::Service
        | Part::Resource
        | Part::Flow
        | Part::Step
        | Part::Setting(_) => &[],
    }
}

/// The members of a part that hold the configuration of a plugin.
fn configurations_of(part: &Part) -> &'static [&'static str] {
    match part {
        Part::Entrypoint | Part::Service | Part::Resource | Part::Security | Part::Step => {
            &["configuration"]
        }
        Part::Group => &["sharedConfiguration"],
        Part::Endpoint => &["configuration", "sharedConfigurationOverride"],
        Part::Root
        | Part::Listener
        | Part::Plan
        | Part::Flow
        | Part::Selector
        | Part::Setting(_) => &[],
    }
}

fn known_members(part: &Part) -> Option<&'static [&'static str]> {
    Some(match part {
        Part::Root => super::spelling::KNOWN_ROOT_MEMBERS,
        Part::Listener => &[
            "type",
            "paths",
            "pathMappings",
            "cors",
            "servers",
            "entrypoints",
            "hosts",
            "host",
            "port",
        ],
        Part::Entrypoint => &["type", "qos", "dlq", "configuration"],
        Part::Group => &[
            "name",
            "type",
            "loadBalancer",
            "sharedConfiguration",
            "endpoints",
            "services",
        ],
        Part::Endpoint => &[
            "name",
            "type",
            "weight",
            "secondary",
            "tenants",
            "inheritConfiguration",
            "configuration",
            "sharedConfigurationOverride",
            "services",
        ],
        Part::Flow => &[
            "id",
            "name",
            "enabled",
            "selectors",
            "request",
            "response",
            "publish",
            "subscribe",
            "connect",
            "interact",
            "tags",
        ],
        Part::Step => &[
            "policy",
            "name",
            "description",
            "enabled",
            "configuration",
            "condition",
            "messageCondition",
            "sharedPolicyGroupRef",
        ],
        Part::Service
        | Part::Resource
        | Part::Plan
        | Part::Security
        | Part::Selector
        | Part::Setting(_) => {
            return None;
        }
    })
}

fn canonicalise_part(part: &Part, members: &mut Members, path: &str, notices: &mut Vec<Notice>) {
    for name in labels_of(part) {
        if let Some(Value::String(text)) = members.get_mut(*name) {
            *text = text.to_ascii_lowercase().replace('_', "-");
        }
    }
    for name in configurations_of(part) {
        configuration_as_object(members, name, path, notices);
    }
    version_as_number(members, matches!(part, Part::Root));
    match part {
        Part::Plan => {
            // The snake-case name is that of the operator and of old exports.
            if !members.contains_key("commentRequired")
                && let Some(required) = members.shift_remove("comment_required")
            {
                members.insert("commentRequired".to_owned(), required);
            }
            members.entry("status").or_insert_with(|| json!("staging"));
        }
        Part::Entrypoint => present_id(members, "type", path, notices),
        Part::Group => present_stores(members, "sharedConfiguration", path, notices),
        Part::Endpoint => present_stores(members, "sharedConfigurationOverride", path, notices),
        Part::Selector => canonicalise_selector(members, path, notices),
        Part::Setting("flowExecution") => {
            known_label::<FlowMode>(members, "mode", FlowMode::default(), path, notices);
        }
        Part::Root
        | Part::Listener
        | Part::Service
        | Part::Resource
        | Part::Security
        | Part::Flow
        | Part::Step
        | Part::Setting(_) => {}
    }
    if let Some(known) = known_members(part) {
        for name in members
            .keys()
            .filter(|name| !known.contains(&name.as_str()))
        {
            if !name.starts_with("x-tidegate-") {
                let message = "this member is not known; it is kept".to_owned();
                notices.push(Notice::new(
                    "unknown-field",
                    member_path(path, name),
                    message,
                ));
            }
        }
    }
}

fn version_as_number(members: &mut Members, is_root: bool) {
    match members.get_mut("definitionVersion") {
        Some(Value::String(text)) if is_same_label(text, "v4") => {
            DEFINITION_VERSION.clone_into(text);
        }
        None if is_root => {
            members.insert("definitionVersion".to_owned(), json!(DEFINITION_VERSION));
        }
        _ => {}
    }
}

fn canonicalise_selector(members: &mut Members, path: &str, notices: &mut Vec<Notice>) {
    for name in ["pathOperator", "channelOperator"] {
        known_label::<PathOperator>(members, name, PathOperator::default(), path, notices);
    }
    for_each_text(members, "methods", |text| text.make_ascii_uppercase());
    for_each_text(members, "operations", |text| text.make_ascii_lowercase());
    for_each_text(members, "entrypoints", |text| {
        if let Some(present) = text.strip_suffix(OLD_SUFFIX) {
            *text = present.to_owned();
        }
    });
}

fn for_each_text(members: &mut Members, name: &str, change: impl Fn(&mut String)) {
    for item in members
        .get_mut(name)
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
    {
        if let Value::String(text) = item {
            change(text);
        }
    }
}

/// Writes a label canonically; one that is not known becomes the default, as the runtime does.
fn known_label<L: Label>(
    members: &mut Members,
    name: &str,
    default: L,
    path: &str,
    notices: &mut Vec<Notice>,
) {
    let Some(Value::String(text)) = members.get_mut(name) else {
        return;
    };
    let label = L::from_label(text).unwrap_or_else(|| {
        let message = format!("{text:?} is not known and is taken as {}", default.label());
        notices.push(Notice::new("default", member_path(path, name), message));
        default
    });
    label.label().clone_into(text);
}

fn configuration_as_object(
    members: &mut Members,
    name: &str,
    path: &str,
    notices: &mut Vec<Notice>,
) {
    let Some(value) = members.get_mut(name) else {
        return;
    };
    let Some(object) = value.as_str().and_then(object_in_text) else {
        return;
    };
    *value = object;
    let message = "a configuration given as JSON text was made an object".to_owned();
    notices.push(Notice::new("converted", member_path(path, name), message));
}

fn present_id(members: &mut Members, name: &str, path: &str, notices: &mut Vec<Notice>) {
    let Some(Value::String(id)) = members.get_mut(name) else {
        return;
    };
    let Some(present) = id.strip_suffix(OLD_SUFFIX) else {
        return;
    };
    let message = format!("{id} is called {present} now");
    notices.push(Notice::new("renamed-id", member_path(path, name), message));
    *id = present.to_owned();
}

fn present_stores(members: &mut Members, name: &str, path: &str, notices: &mut Vec<Notice>) {
    let ssl = members
        .get_mut(name)
        .and_then(|shared| shared.get_mut("ssl"));
    let Some(ssl) = ssl.and_then(Value::as_object_mut) else {
        return;
    };
    for (old, present) in OLD_STORES {
        if ssl.contains_key(*present) {
            continue;
        }
        if let Some(store) = ssl.shift_remove(*old) {
            ssl.insert((*present).to_owned(), store);
            let path = member_path(&member_path(path, name), &format!("ssl.{old}"));
            notices.push(Notice::new(
                "renamed-id",
                path,
                format!("{old} is called {present} now"),
            ));
        }
    }
}

/// Calls `act` for every object of a definition that has labels, configuration or names of its own.
fn visit(document: &mut Members, act: &mut impl FnMut(&Part, &mut Members, &str)) {
    act(&Part::Root, document, "");
    each(document, "listeners", "", &mut |listener, path| {
        act(&Part::Listener, listener, path);
        each(listener, "entrypoints", path, &mut |entry, path| {
            act(&Part::Entrypoint, entry, path)
        });
    });
    each(document, "endpointGroups", "", &mut |group, path| {
        act(&Part::Group, group, path);
        one(group, "loadBalancer", path, &mut |at, path| {
            act(&Part::Setting("loadBalancer"), at, path)
        });
        visit_services(group, path, act);
        each(group, "endpoints", path, &mut |endpoint, path| {
            act(&Part::Endpoint, endpoint, path);
            visit_services(endpoint, path, act);
        });
    });
    visit_services(document, "", act);
    each(document, "resources", "", &mut |resource, path| {
        act(&Part::Resource, resource, path)
    });
    one(document, "flowExecution", "", &mut |at, path| {
        act(&Part::Setting("flowExecution"), at, path)
    });
    one(document, "analytics", "", &mut |analytics, path| {
        one(analytics, "messageSampling", path, &mut |at, path| {
            act(&Part::Setting("messageSampling"), at, path);
        });
    });
    visit_flows(document, "", act);
    each(document, "plans", "", &mut |plan, path| {
        act(&Part::Plan, plan, path);
        one(plan, "security", path, &mut |security, path| {
            act(&Part::Security, security, path)
        });
        visit_flows(plan, path, act);
    });
}

fn visit_services(
    owner: &mut Members,
    path: &str,
    act: &mut impl FnMut(&Part, &mut Members, &str),
) {
    one(owner, "services", path, &mut |services, path| {
        for (name, service) in services.iter_mut() {
            if let Value::Object(service) = service {
                act(&Part::Service, service, &member_path(path, name));
            }
        }
    });
}

fn visit_flows(owner: &mut Members, path: &str, act: &mut impl FnMut(&Part, &mut Members, &str)) {
    each(owner, "flows", path, &mut |flow, path| {
        act(&Part::Flow, flow, path);
        each(flow, "selectors", path, &mut |selector, path| {
            act(&Part::Selector, selector, path)
        });
        for phase in crate::api::PHASE_MEMBERS {
            each(flow, phase, path, &mut |step, path| {
                act(&Part::Step, step, path)
            });
        }
    });
}

fn each(owner: &mut Members, name: &str, path: &str, act: &mut dyn FnMut(&mut Members, &str)) {
    let items = owner.get_mut(name).and_then(Value::as_array_mut);
    for (index, item) in items.into_iter().flatten().enumerate() {
        if let Value::Object(members) = item {
            act(members, &format!("{}[{index}]", member_path(path, name)));
        }
    }
}

fn one(owner: &mut Members, name: &str, path: &str, act: &mut dyn FnMut(&mut Members, &str)) {
    if let Some(Value::Object(members)) = owner.get_mut(name) {
        act(members, &member_path(path, name));
    }
}
