//! Replacements of default error bodies.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::{
    Violation,
    read::{Fields, Report},
};

/// Templates by error key (or `DEFAULT`), then by media type (or `*/*`).
pub type ResponseTemplates = BTreeMap<String, BTreeMap<String, ResponseTemplate>>;

/// What is answered instead of a default error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResponseTemplate {
    /// Status code; that of the error when absent.
    pub status: Option<u16>,
    /// Literal headers, in document order.
    pub headers: Vec<(String, String)>,
    /// Text with expressions.
    pub body: Option<String>,
    /// Whether the error key reaches the access log.
    pub propagate_error_key: bool,
}

pub(super) fn read(fields: &mut Fields<'_, '_>) -> ResponseTemplates {
    let Some(value) = fields.value("responseTemplates") else {
        return BTreeMap::new();
    };
    let path = fields.path_of("responseTemplates");
    let report = fields.report();
    let by_type = |(media, template): (&String, &Value), path: &str| {
        let path = format!("{path}.{media}");
        Some((media.clone(), read_one(template, &path, report)?))
    };
    let by_key = |(key, types): (&String, &Value)| {
        let path = format!("{path}.{key}");
        let types = members(types, &path, report);
        (
            key.clone(),
            types
                .into_iter()
                .filter_map(|entry| by_type(entry, &path))
                .collect(),
        )
    };
    members(value, &path, report)
        .into_iter()
        .map(by_key)
        .collect()
}

fn members<'v>(value: &'v Value, path: &str, report: &Report) -> Vec<(&'v String, &'v Value)> {
    match value.as_object() {
        Some(members) => members.iter().collect(),
        None => {
            report.violation(Violation::new(path, value, "an object"));
            Vec::new()
        }
    }
}

fn read_one(value: &Value, path: &str, report: &Report) -> Option<ResponseTemplate> {
    let mut fields = Fields::of(value, path, report)?;
    let status = fields
        .value_of_any(&["status", "statusCode"])
        .and_then(|value| {
            let code = value.as_u64().and_then(|code| u16::try_from(code).ok());
            let valid = code.filter(|code| (100..=599).contains(code));
            if valid.is_none() {
                report.violation(Violation::new(
                    format!("{path}.status"),
                    value,
                    "a status, 100 to 599",
                ));
            }
            valid
        });
    let headers = match fields.value("headers") {
        None => Vec::new(),
        Some(value) => members(value, &format!("{path}.headers"), report)
            .into_iter()
            .map(|(name, value)| {
                (
                    name.clone(),
                    value
                        .as_str()
                        .map_or_else(|| value.to_string(), str::to_owned),
                )
            })
            .collect(),
    };
    let template = ResponseTemplate {
        status,
        headers,
        body: fields.text("body"),
        propagate_error_key: fields.flag("propagateErrorKeyToLogs", false),
    };
    fields.finish();
    Some(template)
}
