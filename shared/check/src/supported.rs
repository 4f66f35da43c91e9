//! What is kept and cannot be deployed: constructs that no edge of this release runs, each named with its place.

use serde_json::Value;
use tidegate_expression::Template;
use tidegate_model::{
    Violation,
    api::{Api, ApiKind},
    validate::{deployable, operator_templates},
};

/// Lists what keeps a definition from being deployed. `document` is the part that edges would get, `api` what was
/// read of it.
#[must_use]
pub fn undeployable(document: &Value, api: &Api) -> Vec<Violation> {
    let mut reasons = deployable(api).err().unwrap_or_default();
    let kind = match api.kind {
        ApiKind::Proxy => None,
        ApiKind::Message => Some("message"),
        ApiKind::Native => Some("native"),
    };
    if let Some(kind) = kind {
        let expected = "proxy: no edge can run this type yet";
        reasons.push(Violation::new("type", kind, expected));
    }
    reasons.extend(tidegate_policies::undeployable(api));
    reasons.extend(operator_templates(document));
    secrets(document, String::new(), &mut reasons);
    reasons
}

/// Finds expressions that read `#secrets`: they would fail on every request.
fn secrets(value: &Value, path: String, reasons: &mut Vec<Violation>) {
    match value {
        Value::String(text) if reads_secrets(text) => {
            let expected = "an expression without #secrets: edges have no secret provider";
            reasons.push(Violation::new(path, "#secrets", expected));
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                secrets(item, format!("{path}[{index}]"), reasons);
            }
        }
        Value::Object(members) => {
            for (name, member) in members {
                let path = if path.is_empty() {
                    name.clone()
                } else {
                    format!("{path}.{name}")
                };
                secrets(member, path, reasons);
            }
        }
        _ => {}
    }
}

fn reads_secrets(text: &str) -> bool {
    let template = text.contains("#secrets").then(|| Template::compile(text));
    matches!(template, Some(Ok(template)) if template.mentions("secrets"))
}
