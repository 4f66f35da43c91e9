//! Tidegate's own manifest: `apiVersion: tidegate/v1`, `kind: Api`, `metadata`, and the definition as `spec`.

use serde_json::{Value, json};

use super::{
    ExportFacts, Found, Members, SourceDocument, Spelling, canonical, finish, take_object,
    take_text,
};
use crate::{
    read::{At, Findings},
    violation::Violation,
};

/// The `apiVersion` of the manifests.
pub(super) const GROUP: &str = "tidegate/v1";
/// Where members of `metadata` that are not known are kept.
const OTHERS: &str = "x-tidegate-metadata";

pub(super) fn read(mut manifest: Members) -> Result<SourceDocument, Vec<Violation>> {
    let findings = Findings::default();
    let mut metadata = take_object(&mut manifest, "metadata", &findings);
    let mut spec = take_object(&mut manifest, "spec", &findings);
    for name in ["apiVersion", "kind", "status"] {
        manifest.shift_remove(name);
    }
    for (name, value) in &manifest {
        At::new(value, name.as_str(), &findings).fail("apiVersion, kind, metadata and spec only");
    }
    for name in ["id", "name"] {
        let Some(value) = metadata.shift_remove(name) else {
            continue;
        };
        if spec.get(name).is_some_and(|other| *other != value) {
            let expected = format!("the {name} of spec, or none");
            At::new(&value, format!("metadata.{name}"), &findings).fail(expected);
        }
        spec.insert(name.to_owned(), value);
    }
    let etag = take_text(&mut metadata, "etag");
    if !metadata.is_empty() {
        spec.insert(OTHERS.to_owned(), Value::Object(metadata));
    }
    findings.finish(())?;
    finish(
        spec,
        Spelling::Native,
        Found {
            etag,
            ..Found::default()
        },
    )
}

pub(super) fn write(mut document: Members, facts: &ExportFacts) -> Value {
    let mut metadata = Members::new();
    for name in ["name", "id"] {
        if let Some(text) = take_text(&mut document, name) {
            metadata.insert(name.to_owned(), json!(text));
        }
    }
    if let Some(etag) = &facts.etag {
        metadata.insert("etag".to_owned(), json!(etag));
    }
    if let Some(Value::Object(others)) = document.shift_remove(OTHERS) {
        metadata.extend(others);
    }
    if document.get("definitionVersion") == Some(&json!(canonical::DEFINITION_VERSION)) {
        document.shift_remove("definitionVersion");
    }
    if let Some(started) = facts.started {
        document.insert(
            "state".to_owned(),
            json!(if started { "started" } else { "stopped" }),
        );
    }
    json!({"apiVersion": GROUP, "kind": "Api", "metadata": metadata, "spec": document})
}
