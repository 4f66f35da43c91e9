//! Shared policy groups, dictionaries and the organisation: Tidegate's manifests, the operator's, and what Gravitee's
//! management answers for each.

use serde_json::{Value, json};

use super::super::{AssetDocument, ExportFacts, SourceDocument, Spelling, canonical, v2, yaml};
use super::{Members, native, take_object, take_text};
use crate::{
    asset::AssetKind,
    read::{At, Findings, is_same_label},
    slug::slug,
    violation::{Notice, Violation},
};

/// Where members of `metadata` that are not known are kept.
const OTHERS: &str = "x-tidegate-metadata";
/// The `apiVersion` of the operator's manifests.
const GKO_GROUP: &str = "gravitee.io/v1alpha1";
/// What management knows of an asset beside its content; it is made anew here.
const FACTS: &[&str] = &[
    "version",
    "deployedAt",
    "createdAt",
    "updatedAt",
    "deployed_at",
    "created_at",
    "updated_at",
    "environmentId",
    "organizationId",
    "hrids",
    "contextRef",
    "originContext",
];
/// Members that mean something, by kind.
const GROUP_MEMBERS: &[&str] = &[
    "id",
    "crossId",
    "name",
    "description",
    "prerequisiteMessage",
    "apiType",
    "phase",
    "steps",
];
const DICTIONARY_MEMBERS: &[&str] = &[
    "id",
    "key",
    "name",
    "description",
    "type",
    "properties",
    "provider",
    "trigger",
];
const ORGANIZATION_MEMBERS: &[&str] = &[
    "id",
    "name",
    "description",
    "flows",
    "flowExecution",
    "domainRestrictions",
];

/// The kind of an asset as management answers it, by the members that only such a one has.
pub(super) fn recognised(document: &Members) -> Option<AssetKind> {
    let has = |names: &[&str]| names.iter().all(|name| document.contains_key(*name));
    let is_type = |names: &[&str]| {
        let label = document.get("type").and_then(Value::as_str);
        label.is_some_and(|label| names.iter().any(|name| is_same_label(name, label)))
    };
    if has(&["phase", "steps"]) {
        Some(AssetKind::SharedPolicyGroup)
    } else if is_type(&["manual", "dynamic"])
        && (document.contains_key("properties") || document.contains_key("provider"))
    {
        Some(AssetKind::Dictionary)
    } else if has(&["flowMode", "flows"]) {
        Some(AssetKind::Organization)
    } else {
        None
    }
}

/// Reads a manifest of Tidegate or of the operator.
pub(super) fn read_manifest(
    kind: AssetKind,
    mut manifest: Members,
    is_gko: bool,
) -> Result<SourceDocument, Vec<Violation>> {
    let findings = Findings::default();
    let mut metadata = take_object(&mut manifest, "metadata", &findings);
    let mut spec = take_object(&mut manifest, "spec", &findings);
    for name in ["apiVersion", "kind", "status"] {
        manifest.shift_remove(name);
    }
    for (name, value) in &manifest {
        At::new(value, name.as_str(), &findings).fail("apiVersion, kind, metadata and spec only");
    }
    let etag = take_text(&mut metadata, "etag");
    if is_gko {
        // References of the operator go by the name of its resource.
        if let Some(name) = metadata.get("name").cloned() {
            spec.entry("name").or_insert_with(|| name.clone());
            spec.entry("crossId").or_insert(name);
        }
    } else {
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
        if !metadata.is_empty() {
            spec.insert(OTHERS.to_owned(), Value::Object(metadata));
        }
    }
    findings.finish(())?;
    read(kind, spec, etag)
}

/// Makes the members of an asset canonical.
pub(super) fn read(
    kind: AssetKind,
    mut document: Members,
    etag: Option<String>,
) -> Result<SourceDocument, Vec<Violation>> {
    let mut notices = Vec::new();
    let desired_deployed = take_state(&mut document);
    for name in FACTS {
        document.shift_remove(*name);
    }
    let known = match kind {
        AssetKind::SharedPolicyGroup => {
            canonical::canonicalise_group(&mut document, &mut notices);
            GROUP_MEMBERS
        }
        AssetKind::Dictionary => {
            lower(&mut document, "type");
            DICTIONARY_MEMBERS
        }
        AssetKind::Organization => {
            take_flow_mode(&mut document);
            if has_old_flows(&document) {
                v2::convert_organization(&mut document, &mut notices)?;
            }
            canonical::canonicalise_flows(&mut document, &mut notices);
            ORGANIZATION_MEMBERS
        }
    };
    for name in document.keys() {
        if !known.contains(&name.as_str()) && !name.starts_with("x-tidegate-") {
            let message = "this member is not known; it is kept".to_owned();
            notices.push(Notice::new("unknown-field", name.as_str(), message));
        }
    }
    let text = |name: &str| {
        let text = document.get(name).and_then(Value::as_str);
        text.filter(|text| !text.is_empty()).map(str::to_owned)
    };
    let document = AssetDocument {
        kind,
        id: text("id"),
        name: text("name").unwrap_or_default(),
        desired_deployed,
        etag,
        notices,
        canonical: Value::Object(document),
    };
    Ok(SourceDocument::Asset(Box::new(document)))
}

/// Takes out whether it is deployed or started: that is no part of its content.
fn take_state(document: &mut Members) -> Option<bool> {
    let mut desired = None;
    for (name, yes, no) in [
        ("lifecycleState", "deployed", "undeployed"),
        ("state", "started", "stopped"),
    ] {
        let Some(state) = take_text(document, name) else {
            continue;
        };
        if is_same_label(&state, yes) {
            desired = Some(true);
        } else if is_same_label(&state, no) {
            desired = Some(false);
        }
    }
    desired
}

fn lower(document: &mut Members, name: &str) {
    if let Some(Value::String(text)) = document.get_mut(name) {
        *text = text.to_ascii_lowercase().replace('_', "-");
    }
}

/// Management writes the mode beside the flows.
fn take_flow_mode(document: &mut Members) {
    if let Some(mode) = take_text(document, "flowMode") {
        let execution = json!({ "mode": mode });
        document.entry("flowExecution").or_insert(execution);
    }
}

/// True when a flow is written as v2 has it, which is how management keeps those of organisations.
fn has_old_flows(document: &Members) -> bool {
    let old = [
        "pre",
        "post",
        "path-operator",
        "pathOperator",
        "consumers",
        "methods",
    ];
    let flows = document.get("flows").and_then(Value::as_array);
    flows
        .into_iter()
        .flatten()
        .filter_map(Value::as_object)
        .any(|flow| old.iter().any(|name| flow.contains_key(*name)))
}

/// Writes an asset in a spelling; `None` when the spelling has no such kind.
pub(super) fn write(
    kind: AssetKind,
    mut document: Members,
    spelling: Spelling,
    facts: &ExportFacts,
) -> Option<String> {
    match (spelling, kind) {
        (Spelling::Native, _) => {
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
            Some(manifest(native::GROUP, kind, &metadata, &document))
        }
        (Spelling::Gko, AssetKind::SharedPolicyGroup) => {
            let cross_id = take_text(&mut document, "crossId");
            document.shift_remove("id");
            document.shift_remove(OTHERS);
            upper(&mut document, &["apiType", "phase"]);
            let name = document.get("name").and_then(Value::as_str);
            let name = cross_id.unwrap_or_else(|| slug(name.unwrap_or_default()));
            let metadata = Members::from_iter([("name".to_owned(), json!(name))]);
            Some(manifest(GKO_GROUP, kind, &metadata, &document))
        }
        (Spelling::Gko, AssetKind::Dictionary | AssetKind::Organization) => None,
        (Spelling::Envelope | Spelling::Runtime, _) => {
            document.shift_remove(OTHERS);
            match kind {
                AssetKind::SharedPolicyGroup => upper(&mut document, &["apiType", "phase"]),
                AssetKind::Dictionary => upper(&mut document, &["type"]),
                AssetKind::Organization => {
                    let mode = document.shift_remove("flowExecution");
                    let mode = mode.and_then(|at| at.get("mode")?.as_str().map(str::to_owned));
                    let mode = mode.unwrap_or_else(|| "default".to_owned());
                    document.insert("flowMode".to_owned(), json!(mode));
                    upper(&mut document, &["flowMode"]);
                }
            }
            Some(super::json_text(&Value::Object(document)))
        }
    }
}

fn upper(document: &mut Members, names: &[&str]) {
    for name in names {
        if let Some(Value::String(text)) = document.get_mut(*name) {
            *text = text.to_ascii_uppercase().replace('-', "_");
        }
    }
}

fn manifest(group: &str, kind: AssetKind, metadata: &Members, spec: &Members) -> String {
    yaml::to_yaml(&json!({
        "apiVersion": group,
        "kind": kind.manifest_kind(),
        "metadata": metadata,
        "spec": spec,
    }))
}
