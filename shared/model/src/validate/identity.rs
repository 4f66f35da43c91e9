//! Version, tags, properties, resources: what belongs to the API as a whole.

use std::collections::HashSet;

use crate::{
    api::Api,
    limits,
    read::{At, Findings, is_same_label},
    tags::is_tag,
};

/// The spellings of the only definition version that is read.
const DEFINITION_VERSIONS: &[&str] = &["4.0.0", "V4"];

pub(super) fn check(root: &At<'_>, api: &Api, findings: &Findings) {
    if let Some(version) = root.member("definitionVersion") {
        let known = version.value().as_str().is_some_and(|text| {
            DEFINITION_VERSIONS
                .iter()
                .any(|known| is_same_label(known, text))
        });
        if !known {
            version.fail("4.0.0");
        }
    }
    for tag in root.list("tags", limits::TAGS) {
        if tag.value().as_str().is_some_and(|text| !is_tag(text)) {
            tag.fail("a tag without ',' and '!'");
        }
    }
    check_unique(
        findings,
        "properties",
        "key",
        api.properties.iter().map(|p| p.key.as_str()),
    );
    let named = api.resources.iter().map(|resource| resource.name.as_str());
    check_unique(findings, "resources", "name", named);
}

/// Reports every item whose name an earlier one has; empty names are reported elsewhere.
pub(super) fn check_unique<'a>(
    findings: &Findings,
    list: &str,
    member: &str,
    names: impl Iterator<Item = &'a str>,
) {
    let mut seen = HashSet::new();
    for (index, name) in names.enumerate() {
        if !name.is_empty() && !seen.insert(name) {
            findings.report_text(
                format!("{list}[{index}].{member}"),
                name,
                format!("a {member} that no earlier item has"),
            );
        }
    }
}
