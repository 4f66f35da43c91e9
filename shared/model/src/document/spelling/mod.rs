//! The spellings: recognising a document, making it canonical, writing it back.

use serde_json::{Map, Value, json};

use super::{ApiDocument, ExportFacts, SourceDocument, Spelling, canonical, take_text, v2, yaml};
use crate::{
    asset::AssetKind,
    read::{At, Findings, is_same_label, shown},
    violation::{Notice, Violation},
};

mod application;
mod asset;
mod envelope;
mod gko;
mod native;

pub use gko::entry_key;

type Members = Map<String, Value>;

/// Members of the root of a definition that are understood, or known to belong to management.
pub(super) const KNOWN_ROOT_MEMBERS: &[&str] = &[
    "id",
    "name",
    "type",
    "apiVersion",
    "definitionVersion",
    "tags",
    "properties",
    "resources",
    "listeners",
    "endpointGroups",
    "plans",
    "flows",
    "flowExecution",
    "responseTemplates",
    "services",
    "failover",
    "analytics",
    "description",
    "crossId",
    "groups",
    "visibility",
    "labels",
    "categories",
    "lifecycleState",
    "workflowState",
    "primaryOwner",
    "disableMembershipNotifications",
    "originContext",
    "definitionContext",
    "createdAt",
    "updatedAt",
    "deployedAt",
    "_links",
    "members",
    "metadata",
    "pages",
    "apiMedia",
    "apiPicture",
    "apiBackground",
    "picture",
    "background",
    "contextRef",
    "notifyMembers",
    "groupRefs",
    "notificationsRefs",
    "links",
    "responseTemplate",
];

/// Recognises a document and makes it canonical.
pub(super) fn recognise(value: Value) -> Result<SourceDocument, Vec<Violation>> {
    let Value::Object(document) = value else {
        let found = shown("", &value);
        return Err(vec![Violation::new(
            "",
            found,
            "an object: an API definition or a manifest",
        )]);
    };
    let text = |name: &str| {
        document
            .get(name)
            .and_then(Value::as_str)
            .map(str::to_owned)
    };
    if let (Some(group), Some(kind)) = (text("apiVersion"), text("kind")) {
        return manifest(document, &group, &kind);
    }
    if document.get("api").is_some_and(Value::is_object) {
        return envelope::read(document);
    }
    if let Some(kind) = asset::recognised(&document) {
        return asset::read(kind, document, None);
    }
    let marks = [
        "definitionVersion",
        "gravitee",
        "listeners",
        "endpointGroups",
        "proxy",
    ];
    if marks.iter().any(|mark| document.contains_key(*mark)) {
        return finish(document, Spelling::Runtime, Found::default());
    }
    let members: Vec<&str> = document.keys().take(8).map(String::as_str).collect();
    let found = format!("an object with {}", members.join(", "));
    let expected = "an API definition (listeners, endpointGroups …), an export (api, plans …), a \
                    shared policy group (phase, steps), a dictionary (type, properties) or a manifest (apiVersion, \
                    kind, spec)";
    Err(vec![Violation::new("", found, expected)])
}

fn manifest(document: Members, group: &str, kind: &str) -> Result<SourceDocument, Vec<Violation>> {
    let is_gko = group.starts_with("gravitee.io/");
    if let Some(kind) = AssetKind::of_manifest(kind)
        && (group == native::GROUP || (is_gko && kind == AssetKind::SharedPolicyGroup))
    {
        return asset::read_manifest(kind, document, is_gko);
    }
    match (group, kind) {
        (native::GROUP, "Api") => native::read(document),
        (_, "ApiV4Definition") if is_gko => gko::read(document),
        (_, "ApiDefinition") if is_gko => gko::read_v2(document),
        (_, "Application") if is_gko || group == native::GROUP => application::read(&document),
        _ => {
            let name = document
                .get("metadata")
                .and_then(|at| at.get("name"))
                .and_then(Value::as_str);
            Ok(SourceDocument::Unsupported {
                kind: format!("{kind} of {group}"),
                name: name.unwrap_or_default().to_owned(),
            })
        }
    }
}

/// What a spelling says beside the definition.
#[derive(Debug, Default)]
struct Found {
    etag: Option<String>,
    started: Option<bool>,
    notices: Vec<Notice>,
}

/// Makes the members of a definition canonical.
fn finish(
    mut document: Members,
    spelling: Spelling,
    found: Found,
) -> Result<SourceDocument, Vec<Violation>> {
    let Found {
        etag,
        started,
        mut notices,
    } = found;
    if let Some(version) = other_version(&document) {
        if !v2::is_converted(&version) {
            let name = document
                .get("name")
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned();
            let kind = format!("API definition of version {version} (only v4 and v2 can be read)");
            return Ok(SourceDocument::Unsupported { kind, name });
        }
        document = v2::convert(document, &mut notices)?;
    }
    let started = started.or_else(|| take_state(&mut document));
    canonical::canonicalise(&mut document, &mut notices);
    let text = |name: &str| {
        document
            .get(name)
            .and_then(Value::as_str)
            .map(str::to_owned)
    };
    let (id, name) = (
        text("id").filter(|id| !id.is_empty()),
        text("name").unwrap_or_default(),
    );
    Ok(SourceDocument::Api(ApiDocument {
        id,
        name,
        canonical: Value::Object(document),
        desired_started: started,
        etag,
        spelling,
        notices,
    }))
}

/// The version of a definition that is not v4.
fn other_version(document: &Members) -> Option<String> {
    let text = |name: &str| document.get(name).and_then(Value::as_str);
    match text("definitionVersion").or_else(|| text("gravitee")) {
        Some(version)
            if is_same_label(version, "v4") || version == canonical::DEFINITION_VERSION =>
        {
            None
        }
        Some(version) => Some(version.to_owned()),
        None => document.contains_key("proxy").then(|| "2.0.0".to_owned()),
    }
}

/// Takes out what belongs to the running API rather than to its definition.
fn take_state(document: &mut Members) -> Option<bool> {
    document.shift_remove("deploymentState");
    let state = document.get("state").and_then(Value::as_str)?;
    let is_known = |names: &[&str]| names.iter().any(|name| is_same_label(name, state));
    let started = if is_known(&["started"]) {
        true
    } else if is_known(&["stopped", "stopping", "closed", "initialized"]) {
        false
    } else {
        return None;
    };
    document.shift_remove("state");
    Some(started)
}

/// Writes a canonical document in a spelling: JSON for [`Spelling::Runtime`] and [`Spelling::Envelope`], YAML for the
/// others. Parsing the result gives the same canonical document.
#[must_use]
pub fn export(canonical: &Value, spelling: Spelling, facts: &ExportFacts) -> String {
    let Value::Object(document) = canonical else {
        return yaml::to_yaml(canonical);
    };
    let document = document.clone();
    match spelling {
        Spelling::Runtime => json_text(&Value::Object(document)),
        Spelling::Envelope => json_text(&envelope::write(document, facts)),
        Spelling::Gko => yaml::to_yaml(&gko::write(document, facts)),
        Spelling::Native => yaml::to_yaml(&native::write(document, facts)),
    }
}

/// Writes the canonical document of an asset in a spelling: JSON as management answers it for [`Spelling::Runtime`] and
/// [`Spelling::Envelope`], YAML for the others. `None` when the spelling has no such kind.
#[must_use]
pub fn export_asset(
    kind: AssetKind,
    canonical: &Value,
    spelling: Spelling,
    facts: &ExportFacts,
) -> Option<String> {
    let document = canonical.as_object()?.clone();
    asset::write(kind, document, spelling, facts)
}

fn json_text(value: &Value) -> String {
    format!("{value:#}\n")
}

/// The state of an API as management writes it.
fn state_label(started: bool) -> Value {
    json!(if started { "STARTED" } else { "STOPPED" })
}

/// Takes an object out of a manifest; another kind of value is reported.
fn take_object(document: &mut Members, name: &str, findings: &Findings) -> Members {
    match document.shift_remove(name) {
        Some(Value::Object(members)) => members,
        None | Some(Value::Null) => Members::new(),
        Some(other) => {
            At::new(&other, name, findings).fail("an object");
            Members::new()
        }
    }
}
