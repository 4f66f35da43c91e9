//! Headers in configurations: parsed when compiling, evaluated only where an expression stands.

use http::{HeaderMap, HeaderName, HeaderValue};
use schemars::JsonSchema;
use serde::Deserialize;
use tidegate_expression::{Needs, Scope, Template};
use tidegate_policy::ConfigError;

/// A header with a value that may contain expressions.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HeaderConfig {
    /// Name of the header; case does not matter.
    pub name: String,
    /// Value of the header, with expressions. A value that evaluates to null leaves the header as it
    /// is.
    #[serde(default)]
    pub value: Option<String>,
}

/// A header ready to set.
#[derive(Debug)]
pub(crate) struct CompiledHeader {
    name: HeaderName,
    source: Source,
}

#[derive(Debug)]
enum Source {
    Literal(HeaderValue),
    Computed(Template),
}

/// Compiles the headers of the list at `path`; a header without name or value is left out.
pub(crate) fn compile_headers(
    headers: &[HeaderConfig],
    path: &str,
) -> Result<(Box<[CompiledHeader]>, Needs), ConfigError> {
    let mut compiled = Vec::with_capacity(headers.len());
    let mut needs = Needs::NONE;
    for (index, header) in headers.iter().enumerate() {
        let name = parse_name(&header.name, || format!("{path}[{index}].name"))?;
        let (Some(name), Some(value)) = (name, &header.value) else {
            continue;
        };
        let value_path = format!("{path}[{index}].value");
        let template = ConfigError::template(value_path.as_str(), value)?;
        needs |= template.needs();
        let source = match template.as_literal() {
            Some(text) => Source::Literal(header_value(text).ok_or_else(|| {
                ConfigError::new(
                    value_path,
                    format!("{text:?}"),
                    "text without control characters",
                )
            })?),
            None => Source::Computed(template),
        };
        compiled.push(CompiledHeader { name, source });
    }
    Ok((compiled.into(), needs))
}

/// Parses the header names of the list at `path`; blank ones are left out.
pub(crate) fn compile_names(
    names: &[String],
    path: &str,
) -> Result<Box<[HeaderName]>, ConfigError> {
    let mut compiled = Vec::with_capacity(names.len());
    for (index, name) in names.iter().enumerate() {
        compiled.extend(parse_name(name, || format!("{path}[{index}]"))?);
    }
    Ok(compiled.into())
}

fn parse_name(name: &str, path: impl Fn() -> String) -> Result<Option<HeaderName>, ConfigError> {
    let name = name.trim();
    if name.is_empty() {
        return Ok(None);
    }
    HeaderName::from_bytes(name.as_bytes())
        .map(Some)
        .map_err(|_error| ConfigError::new(path(), format!("{name:?}"), "a header name"))
}

/// Header values may hold any byte but control characters (RFC 9110 §5.5).
fn header_value(text: &str) -> Option<HeaderValue> {
    HeaderValue::from_bytes(text.as_bytes()).ok()
}

/// What became of setting a header.
pub(crate) type SetResult = Result<(), String>;

impl CompiledHeader {
    /// Evaluates the value; `None` means that the header stays as it is.
    pub(crate) fn value(&self, scope: &dyn Scope) -> Result<Option<HeaderValue>, String> {
        let template = match &self.source {
            Source::Literal(value) => return Ok(Some(value.clone())),
            Source::Computed(template) => template,
        };
        let text = template
            .evaluate_text(scope)
            .map_err(|error| format!("header {}: {error}", self.name))?;
        let Some(text) = text else {
            return Ok(None);
        };
        match header_value(&text) {
            Some(value) => Ok(Some(value)),
            None => Err(format!(
                "header {}: value has control characters",
                self.name
            )),
        }
    }

    /// Replaces all values of the header.
    pub(crate) fn put(&self, value: HeaderValue, headers: &mut HeaderMap) -> SetResult {
        match headers.try_insert(self.name.clone(), value) {
            Ok(_) => Ok(()),
            Err(_) => Err("too many headers".to_owned()),
        }
    }
}
