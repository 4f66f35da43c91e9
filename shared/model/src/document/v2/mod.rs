//! Definitions of version 2, and of version 1 before it, made into version 4 documents.
//!
//! Everything the old format can say is moved to its place in the new one; what has no place is left out with a
//! [`Notice`], never silently. Members this module does not know stay where they were: the canonical document keeps
//! and reports them like those of any other definition. Both spellings of members are read, `snake_case` as the old
//! runtime writes it and `camelCase` as management does.
//!
//! Source: the v2 definition schema and Gravitee's own v2 → v4 migration.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use super::canonical::DEFINITION_VERSION;
use crate::{
    read::{VIOLATIONS_MAX, is_same_label, member_path, shown},
    violation::{Notice, Violation},
};

mod endpoints;
mod flows;
mod plans;
mod proxy;
mod services;
#[cfg(test)]
mod tests;

type Members = Map<String, Value>;

/// The connector of every endpoint and entrypoint of an old definition.
const HTTP_PROXY: &str = "http-proxy";
/// The most remarks about one conversion: more help nobody.
const NOTICES_MAX: usize = 1000;
/// The most bytes of parts that are inherited in the old format and written out in the new one.
const COPIED_BYTES_MAX: usize = 4 * super::SOURCE_BYTES_MAX;
/// Old names of members of the root that only changed their spelling.
const RENAMED: &[(&str, &str)] = &[
    ("version", "apiVersion"),
    ("response_templates", "responseTemplates"),
    ("lifecycle_state", "lifecycleState"),
    ("workflow_state", "workflowState"),
    ("primary_owner", "primaryOwner"),
    ("created_at", "createdAt"),
    ("updated_at", "updatedAt"),
    ("deployed_at", "deployedAt"),
    ("definition_context", "definitionContext"),
    (
        "disable_membership_notifications",
        "disableMembershipNotifications",
    ),
];
/// Members of the root that say nothing about the API itself.
const WITHOUT_MEANING: &[&str] = &["gravitee", "definitionVersion", "local", "etag"];
/// Policies whose steps Gravitee's own migration refuses to convert.
const REFUSED_UPSTREAM: &[&str] = &[
    "cloud-events",
    "html-json",
    "message-filtering",
    "metrics-reporter",
    "policy-interrupt",
    "policy-wssecurity-authentication",
];

/// True if a definition of this version is converted.
pub(super) fn is_converted(version: &str) -> bool {
    ["v1", "v2", "1.0.0", "2.0.0"]
        .iter()
        .any(|known| is_same_label(known, version))
}

/// Converts the members of an old definition, adding a remark for everything that is renamed or lost.
///
/// # Errors
/// Lists members of the wrong kind, by their place in the old definition.
pub(super) fn convert(
    mut old: Members,
    notices: &mut Vec<Notice>,
) -> Result<Members, Vec<Violation>> {
    let mut conversion = Conversion::default();
    let message = "a v2 definition became v4; it runs by the rules of the v4 engine";
    conversion.notice("", message);
    let mut new = Members::new();
    new.insert("definitionVersion".to_owned(), json!(DEFINITION_VERSION));
    new.insert("type".to_owned(), json!("proxy"));
    for name in WITHOUT_MEANING {
        old.shift_remove(*name);
    }
    for (from, to) in RENAMED {
        if let Some(value) = take(&mut old, &[to, from]) {
            new.insert((*to).to_owned(), value);
        }
    }
    new.entry("apiVersion")
        .or_insert_with(|| json!("undefined"));
    execution(&mut old, &mut new, &mut conversion);
    properties(&mut old, &mut new, &mut conversion);
    let services = services::Root::take(&mut old, &mut conversion);
    services.dynamic_property(&mut new, &mut conversion);
    let mut flows = flows::root(&mut old, &mut conversion);
    proxy::convert(&mut old, &services, &mut new, &mut flows, &mut conversion);
    if !flows.is_empty() {
        new.insert("flows".to_owned(), Value::Array(flows));
    }
    plans::convert(&mut old, &mut new, &mut conversion);
    // What is left has the same name and shape in both versions, or is unknown.
    for (name, value) in old {
        new.entry(name).or_insert(value);
    }
    conversion.finish(new, notices)
}

/// Converts the flows of an organisation: management keeps them as v2 has them, with the sharding tags they are for as
/// consumers.
///
/// # Errors
/// Lists members of the wrong kind.
pub(super) fn convert_organization(
    document: &mut Members,
    notices: &mut Vec<Notice>,
) -> Result<(), Vec<Violation>> {
    let mut conversion = Conversion::default();
    for flow in document
        .get_mut("flows")
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
    {
        if let Value::Object(flow) = flow {
            flows::tags_of_consumers(flow);
        }
    }
    let flows = flows::of(document, "", &mut conversion);
    document.insert("flows".to_owned(), Value::Array(flows));
    conversion.finish(Members::new(), notices).map(drop)
}

/// How flows are chosen, and by which engine.
fn execution(old: &mut Members, new: &mut Members, conversion: &mut Conversion) {
    if let Some(mode) = take(old, &["flow_mode", "flowMode"]) {
        conversion.once("flow_mode", "flow_mode is called flowExecution.mode now");
        new.insert("flowExecution".to_owned(), json!({"mode": mode}));
    }
    if let Some(Value::String(mode)) = take(old, &["execution_mode", "executionMode"])
        && is_same_label(&mode, "v3")
    {
        let message = "the v3 engine is not offered: policies run in the order of the v4 engine";
        conversion.notice("execution_mode", message);
    }
}

/// Properties are a list now; they were a map from name to value at first.
fn properties(old: &mut Members, new: &mut Members, conversion: &mut Conversion) {
    let properties = match take(old, &["properties"]) {
        None => return,
        Some(Value::Object(by_key)) => {
            conversion.notice("properties", "a map of properties became a list");
            by_key
                .into_iter()
                .map(|(key, value)| json!({"key": key, "value": value}))
                .collect()
        }
        Some(other) => other,
    };
    new.insert("properties".to_owned(), properties);
}

/// What a conversion found out on its way.
#[derive(Default)]
struct Conversion {
    copied_bytes: usize,
    notices: Vec<Notice>,
    said: HashSet<&'static str>,
    violations: Vec<Violation>,
}

impl Conversion {
    /// Remarks that something was renamed, changed or left out.
    fn notice(&mut self, path: impl Into<String>, message: impl Into<String>) {
        if self.notices.len() < NOTICES_MAX {
            self.notices.push(Notice::new("converted", path, message));
        }
    }

    /// As [`notice`](Self::notice), but only in the first place of many.
    fn once(&mut self, path: impl Into<String>, message: &'static str) {
        if self.said.insert(message) {
            self.notice(path, message);
        }
    }

    /// A copy of a part that several places inherited; a small file may not unfold to an endless document.
    fn copy(&mut self, part: &Members, path: &str) -> Members {
        if self.copied_bytes <= COPIED_BYTES_MAX {
            self.copied_bytes += Value::Object(part.clone()).to_string().len();
        }
        if self.copied_bytes > COPIED_BYTES_MAX {
            let expected = format!("at most {COPIED_BYTES_MAX} bytes of inherited parts");
            self.wrong(path, &json!({}), &expected);
            return Members::new();
        }
        part.clone()
    }

    fn wrong(&mut self, path: &str, value: &Value, expected: &str) {
        if self.violations.len() < VIOLATIONS_MAX {
            self.violations
                .push(Violation::new(path, shown(path, value), expected));
        }
    }

    /// The value as an object; another kind is reported.
    fn object(&mut self, value: Value, path: &str) -> Option<Members> {
        match value {
            Value::Object(members) => Some(members),
            other => {
                self.wrong(path, &other, "an object");
                None
            }
        }
    }

    /// The value as a list of objects, each with its path; other kinds are reported.
    fn objects(&mut self, value: Value, path: &str) -> Vec<(String, Members)> {
        let Value::Array(items) = value else {
            self.wrong(path, &value, "a list");
            return Vec::new();
        };
        let mut objects = Vec::with_capacity(items.len());
        for (index, item) in items.into_iter().enumerate() {
            let path = format!("{path}[{index}]");
            if let Some(members) = self.object(item, &path) {
                objects.push((path, members));
            }
        }
        objects
    }

    /// Takes the object that goes by one of `names`.
    fn take_object(&mut self, from: &mut Members, names: &[&str], path: &str) -> Option<Members> {
        let value = take(from, names)?;
        self.object(
            value,
            &member_path(path, names.first().copied().unwrap_or("")),
        )
    }

    /// Takes the list of objects that goes by one of `names`.
    fn take_objects(
        &mut self,
        from: &mut Members,
        names: &[&str],
        path: &str,
    ) -> Vec<(String, Members)> {
        let Some(value) = take(from, names) else {
            return Vec::new();
        };
        self.objects(
            value,
            &member_path(path, names.first().copied().unwrap_or("")),
        )
    }

    /// Remarks that every member that is left has no place in the new format.
    fn left_out(&mut self, rest: &Members, path: &str) {
        for (name, value) in rest {
            if !is_empty(value) {
                let message = format!("{name} has no counterpart in v4 and is left out");
                self.notice(member_path(path, name), message);
            }
        }
    }

    fn finish(self, new: Members, notices: &mut Vec<Notice>) -> Result<Members, Vec<Violation>> {
        if !self.violations.is_empty() {
            return Err(self.violations);
        }
        notices.extend(self.notices);
        Ok(new)
    }
}

/// Takes the member that goes by one of `names`, the first that is not null; none of them stays.
fn take(from: &mut Members, names: &[&str]) -> Option<Value> {
    let mut found = None;
    for name in names {
        let value = from.shift_remove(*name).filter(|value| !value.is_null());
        found = found.or(value);
    }
    found
}

/// Takes a flag; anything but true is false.
fn take_flag(from: &mut Members, names: &[&str]) -> bool {
    take(from, names) == Some(Value::Bool(true))
}

/// Moves a member under another name, if it is there.
fn carry(from: &mut Members, names: &[&str], to: &mut Members, name: &str) {
    if let Some(value) = take(from, names) {
        to.insert(name.to_owned(), value);
    }
}

/// An expression as v4 wants it: the old format also took it without braces.
fn in_braces(text: &str) -> String {
    if text.contains('{') {
        text.to_owned()
    } else {
        format!("{{{text}}}")
    }
}

/// True for what says nothing: null, false, and empty texts, lists and objects.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::Bool(true) | Value::Number(_) => false,
    }
}
