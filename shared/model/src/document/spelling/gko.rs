//! The manifest of the Gravitee Kubernetes operator: plans and pages are maps, `apiVersion` is `version`.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::{
    ExportFacts, Found, Members, SourceDocument, Spelling, canonical, finish, state_label,
    take_object, take_text,
};
use crate::{
    read::{At, Findings},
    slug::slug,
    validate::operator_templates,
    violation::{Notice, Violation},
};

/// The `apiVersion` of the manifests.
const GROUP: &str = "gravitee.io/v1alpha1";
/// Where Kubernetes' own metadata is kept.
const METADATA: &str = "x-tidegate-gko";
/// Where an entry keeps its key in the map, unless the key follows from its name.
const KEY: &str = "x-tidegate-key";
/// The annotation with the etag of the draft.
const ETAG: &str = "tidegate.io/etag";

pub(super) fn read(mut manifest: Members) -> Result<SourceDocument, Vec<Violation>> {
    let findings = Findings::default();
    let mut metadata = take_object(&mut manifest, "metadata", &findings);
    let mut spec = take_object(&mut manifest, "spec", &findings);
    if let Some(version) = spec.shift_remove("version") {
        if spec
            .get("apiVersion")
            .is_some_and(|other| *other != version)
        {
            At::new(&version, "spec.version", &findings).fail("the same as apiVersion, or none");
        }
        spec.insert("apiVersion".to_owned(), version);
    }
    if !spec.contains_key("name")
        && let Some(name) = metadata.get("name")
    {
        spec.insert("name".to_owned(), name.clone());
    }
    for name in ["plans", "pages"] {
        map_to_list(&mut spec, name, &findings);
    }
    for plan in spec
        .get_mut("plans")
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
    {
        if let Value::Object(plan) = plan {
            plan.entry("status").or_insert_with(|| json!("PUBLISHED"));
        }
    }
    let etag = take_etag(&mut metadata);
    let is_derived = metadata.len() == 1
        && metadata.get("name").and_then(Value::as_str) == Some(&object_name(&spec));
    if !metadata.is_empty() && !is_derived {
        spec.insert(METADATA.to_owned(), Value::Object(metadata));
    }
    findings.finish(())?;
    let mut document = finish(
        spec,
        Spelling::Gko,
        Found {
            etag,
            ..Found::default()
        },
    )?;
    if let SourceDocument::Api(api) = &mut document {
        let templates = operator_templates(&api.canonical);
        api.notices.extend(templates.into_iter().map(|template| {
            let message = format!(
                "{}: kept, but templates of the operator are not resolved: the API cannot be deployed",
                template.value
            );
            Notice::new("operator-template", template.path, message)
        }));
    }
    Ok(document)
}

/// The key an entry has in the map of its manifest: the one that was kept, else the slug of its name. A plan keeps
/// it when it is renamed.
#[must_use]
pub fn entry_key(entry: &Value) -> Option<String> {
    let text = |name: &str| entry.get(name).and_then(Value::as_str);
    let own = text(KEY).map(str::to_owned);
    own.or_else(|| text("name").map(slug))
}

/// The operator's manifest of a v2 definition; what `spec` says is converted as in any other spelling.
pub(super) fn read_v2(mut manifest: Members) -> Result<SourceDocument, Vec<Violation>> {
    if let Some(spec) = manifest.get_mut("spec").and_then(Value::as_object_mut) {
        spec.entry("gravitee").or_insert_with(|| json!("2.0.0"));
    }
    read(manifest)
}

fn take_etag(metadata: &mut Members) -> Option<String> {
    let annotations = metadata.get_mut("annotations")?.as_object_mut()?;
    let etag = take_text(annotations, ETAG);
    if annotations.is_empty() {
        metadata.shift_remove("annotations");
    }
    etag
}

fn rename(members: &mut Members, from: &str, to: &str) {
    if !members.contains_key(to)
        && let Some(value) = members.shift_remove(from)
    {
        members.insert(to.to_owned(), value);
    }
}

fn map_to_list(spec: &mut Members, name: &str, findings: &Findings) {
    let Some(value) = spec.get_mut(name).filter(|value| !value.is_array()) else {
        return;
    };
    let Value::Object(map) = value.take() else {
        spec.shift_remove(name);
        return;
    };
    let mut used = HashSet::new();
    let mut list = Vec::with_capacity(map.len());
    for (key, mut entry) in map {
        let Value::Object(members) = &mut entry else {
            At::new(&entry, format!("spec.{name}.{key}"), findings).fail("an object");
            continue;
        };
        if derived_key(members, &used) != key {
            members.insert(KEY.to_owned(), json!(key));
        }
        used.insert(key);
        list.push(entry);
    }
    *value = Value::Array(list);
}

fn list_to_map(document: &mut Members, name: &str) {
    let Some(list) = document.get_mut(name).filter(|list| list.is_array()) else {
        return;
    };
    let Value::Array(entries) = list.take() else {
        return;
    };
    let mut used = HashSet::new();
    let mut map = Members::new();
    for mut entry in entries {
        let Value::Object(members) = &mut entry else {
            continue;
        };
        let own = take_text(members, KEY).filter(|key| !used.contains(key));
        let key = own.unwrap_or_else(|| derived_key(members, &used));
        used.insert(key.clone());
        map.insert(key, entry);
    }
    *list = Value::Object(map);
}

/// The key an entry gets when it has none: its name as a slug, numbered if it is taken.
fn derived_key(members: &Members, used: &HashSet<String>) -> String {
    let slug = slug(
        members
            .get("name")
            .and_then(Value::as_str)
            .unwrap_or("entry"),
    );
    let numbered = (2..).map(|number| format!("{slug}-{number}"));
    let mut candidates = std::iter::once(slug.clone()).chain(numbered);
    candidates
        .find(|candidate| !used.contains(candidate))
        .unwrap_or(slug)
}

/// The name of the Kubernetes object for a definition that never had one.
fn object_name(spec: &Members) -> String {
    slug(spec.get("name").and_then(Value::as_str).unwrap_or("api"))
}

pub(super) fn write(mut document: Members, facts: &ExportFacts) -> Value {
    canonical::upper_case(&mut document);
    let mut metadata = match document.shift_remove(METADATA) {
        Some(Value::Object(metadata)) => metadata,
        _ => Members::new(),
    };
    if metadata.is_empty() {
        metadata.insert("name".to_owned(), json!(object_name(&document)));
    }
    if let Some(etag) = &facts.etag {
        let annotations = metadata.entry("annotations").or_insert_with(|| json!({}));
        if let Value::Object(annotations) = annotations {
            annotations.insert(ETAG.to_owned(), json!(etag));
        }
    }
    rename(&mut document, "apiVersion", "version");
    for name in ["plans", "pages"] {
        list_to_map(&mut document, name);
    }
    for (_, plan) in document
        .get_mut("plans")
        .and_then(Value::as_object_mut)
        .into_iter()
        .flatten()
    {
        if let Value::Object(plan) = plan {
            rename(plan, "commentRequired", "comment_required");
        }
    }
    if let Some(started) = facts.started {
        document.insert("state".to_owned(), state_label(started));
    }
    json!({"apiVersion": GROUP, "kind": "ApiV4Definition", "metadata": metadata, "spec": document})
}
