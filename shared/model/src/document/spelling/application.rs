//! Applications: the operator's manifest, and Tidegate's own, which also takes the members directly.

use serde_json::{Map, Value};

use super::super::{ApplicationDocument, SourceDocument};
use crate::{
    limits,
    read::{At, Findings},
    violation::Violation,
};

pub(super) fn read(document: &Map<String, Value>) -> Result<SourceDocument, Vec<Violation>> {
    let whole = Value::Object(document.clone());
    let findings = Findings::default();
    let root = At::root(&whole, &findings);
    let empty = Value::Object(Map::new());
    let part = |name: &str| match root.member(name) {
        Some(at) if at.members().is_some() => at,
        _ => At::new(&empty, name, &findings),
    };
    let (metadata, spec) = (part("metadata"), part("spec"));
    let name = spec
        .text("name", limits::NAME)
        .or_else(|| metadata.text("name", limits::NAME))
        .filter(|name| !name.trim().is_empty());
    if name.is_none() {
        metadata.missing("name", "a name for the application");
    }
    let setting = |group: &str, name: &str, max: usize| {
        spec.member("settings")?.member(group)?.text(name, max)
    };
    let application = ApplicationDocument {
        id: spec
            .text("id", limits::NAME)
            .or_else(|| metadata.text("id", limits::NAME)),
        name: name.unwrap_or_default(),
        description: spec
            .text("description", limits::LONG_TEXT)
            .unwrap_or_default(),
        client_id: spec
            .text("clientId", limits::SHORT_TEXT)
            .or_else(|| setting("app", "clientId", limits::SHORT_TEXT)),
        client_certificate: spec
            .text("clientCertificate", limits::LONG_TEXT)
            .or_else(|| setting("tls", "clientCertificate", limits::LONG_TEXT)),
    };
    findings.finish(SourceDocument::Application(application))
}
