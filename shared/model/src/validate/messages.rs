//! What is written into HTTP messages by definition: response templates, headers and methods of endpoints and flows.

use crate::{
    api::{Api, ResponseTemplate},
    read::Findings,
};

/// An HTTP token (RFC 9110 §5.6.2), as names of headers and methods are.
pub(super) fn is_token(text: &str) -> bool {
    let is_token_byte = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    !text.is_empty() && text.bytes().all(is_token_byte)
}

/// The value of a header (RFC 9110 §5.5): no control characters but the tab.
fn is_field_value(text: &str) -> bool {
    !text.chars().any(|c| c.is_control() && c != '\t')
}

pub(super) fn check(api: &Api, findings: &Findings) {
    for (key, by_media_type) in &api.response_templates {
        for (media_type, template) in by_media_type {
            let path = format!("responseTemplates.{key}.{media_type}");
            check_template(template, &path, findings);
        }
    }
}

fn check_template(template: &ResponseTemplate, path: &str, findings: &Findings) {
    for (name, value) in &template.headers {
        check_header(name, value, &format!("{path}.headers.{name}"), findings);
    }
    if matches!(template.status, Some(100..=199)) {
        let found = template.status.unwrap_or_default().to_string();
        let expected = "a status from 200 to 599: an interim status ends no response";
        findings.report_text(format!("{path}.status"), &found, expected);
    }
}

/// Checks a header that is set as it is; expressions in the value are known only later, their text is a value too.
pub(super) fn check_header(name: &str, value: &str, path: &str, findings: &Findings) {
    if !name.is_empty() && !is_token(name) {
        findings.report_text(path, name, "the name of a header");
    }
    if !is_field_value(value) {
        let expected = "a value without line breaks and control characters";
        findings.report_text(path, "(not shown)", expected);
    }
}
