//! Management's export: the definition under `api`, plans and management data beside it.

use serde_json::{Value, json};

use super::{
    ExportFacts, Found, Members, SourceDocument, Spelling, canonical, finish, state_label,
};
use crate::{
    read::{At, Findings},
    violation::Violation,
};

/// Parts that stand beside `api`.
const PARTS: &[&str] = &[
    "members",
    "metadata",
    "pages",
    "plans",
    "apiMedia",
    "apiPicture",
    "apiBackground",
];
/// Where members of the envelope that are not known are kept.
const OTHERS: &str = "x-tidegate-envelope";

pub(super) fn read(mut envelope: Members) -> Result<SourceDocument, Vec<Violation>> {
    let Some(Value::Object(mut api)) = envelope.shift_remove("api") else {
        return Err(vec![Violation::new("api", "nothing", "an object")]);
    };
    let findings = Findings::default();
    for part in PARTS {
        let Some(value) = envelope.shift_remove(*part) else {
            continue;
        };
        let inner = api.get(*part).filter(|inner| !is_empty(inner));
        if inner.is_none() {
            api.insert((*part).to_owned(), value);
        } else if !is_empty(&value) && inner != Some(&value) {
            let expected = format!("{part} either here or in api, not different ones in both");
            At::new(&value, *part, &findings).fail(expected);
        }
    }
    if !envelope.is_empty() {
        api.insert(OTHERS.to_owned(), Value::Object(envelope));
    }
    findings.finish(())?;
    finish(api, Spelling::Envelope, Found::default())
}

fn is_empty(value: &Value) -> bool {
    value.is_null() || value.as_array().is_some_and(Vec::is_empty)
}

pub(super) fn write(mut document: Members, facts: &ExportFacts) -> Value {
    canonical::upper_case(&mut document);
    let parts: Vec<_> = PARTS
        .iter()
        .filter_map(|part| Some(((*part).to_owned(), document.shift_remove(*part)?)))
        .collect();
    let others = match document.shift_remove(OTHERS) {
        Some(Value::Object(others)) => others,
        _ => Members::new(),
    };
    if let Some(started) = facts.started {
        document.insert("state".to_owned(), state_label(started));
    }
    if let Some(in_sync) = facts.in_sync {
        let state = if in_sync { "DEPLOYED" } else { "NEED_REDEPLOY" };
        document.insert("deploymentState".to_owned(), json!(state));
    }
    let mut envelope = Members::new();
    envelope.insert("api".to_owned(), Value::Object(document));
    envelope.extend(parts);
    envelope.extend(others);
    Value::Object(envelope)
}
