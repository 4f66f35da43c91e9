//! Checks a configuration against the JSON Schema of its policy.
//!
//! Wrong types are violations. Members the schema does not know are kept and reported as notices:
//! newer definitions must stay deployable.

use std::borrow::Cow;

use jsonschema::error::ValidationErrorKind;
use jsonschema::{ValidationError, Validator};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};
use tidegate_model::{Notice, Violation};

/// Deepest nesting of a configuration that is walked for unknown members.
const DEPTH_MAX: usize = 16;

/// What a check found; paths begin at the given root.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    pub(crate) violations: Vec<Violation>,
    pub(crate) notices: Vec<Notice>,
}

/// Checks `configuration` at `path` against `schema`.
pub(crate) fn check(configuration: &Value, schema: &Value, path: &str) -> Findings {
    let mut findings = Findings::default();
    let configuration = match normalized(configuration) {
        Ok(configuration) => configuration,
        Err(reason) => {
            let violation = Violation::new(path, reason, "an object, or JSON text of one");
            findings.violations.push(violation);
            return findings;
        }
    };
    if let Ok(validator) = Validator::new(schema) {
        let violations = validator
            .iter_errors(&configuration)
            .map(|error| violation(&error, path));
        findings.violations.extend(violations);
    }
    unknown_members(
        &configuration,
        schema,
        schema,
        path,
        0,
        &mut findings.notices,
    );
    findings
}

/// Returns the configuration as an object: null is empty, and text is JSON of an object, as older
/// definitions write it.
pub(crate) fn normalized(configuration: &Value) -> Result<Cow<'_, Value>, String> {
    match configuration {
        Value::Null => Ok(Cow::Owned(Value::Object(Map::new()))),
        Value::String(text) if text.trim().is_empty() => Ok(Cow::Owned(Value::Object(Map::new()))),
        Value::String(text) => match serde_json::from_str(text) {
            Ok(value @ Value::Object(_)) => Ok(Cow::Owned(value)),
            Ok(_) => Err("text of another kind".to_owned()),
            Err(error) => Err(format!("text that is no JSON ({error})")),
        },
        other => Ok(Cow::Borrowed(other)),
    }
}

/// Reads null as the default: exported definitions write out members that are not set.
pub(crate) fn null_as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

fn violation(error: &ValidationError<'_>, path: &str) -> Violation {
    let place = format!("{path}{}", dotted(error.instance_path().as_str()));
    match error.kind() {
        ValidationErrorKind::Required { property } => {
            let name = property.as_str().unwrap_or_default();
            Violation::new(format!("{place}.{name}"), "nothing", "a value (required)")
        }
        ValidationErrorKind::Type { .. } => {
            let expected = error.to_string();
            let expected = expected
                .rsplit_once("is not of type")
                .or_else(|| expected.rsplit_once("is not of types"))
                .map_or(expected.as_str(), |(_, types)| types.trim());
            Violation::new(place, error.instance(), format!("type {expected}"))
        }
        _ => Violation::new(place, error.instance(), error.to_string()),
    }
}

/// Turns a JSON pointer into the dotted form: `/a/0/b` into `.a[0].b`.
fn dotted(pointer: &str) -> String {
    let mut path = String::new();
    for segment in pointer.split('/').skip(1) {
        let segment = segment.replace("~1", "/").replace("~0", "~");
        if !segment.is_empty() && segment.bytes().all(|byte| byte.is_ascii_digit()) {
            path.push_str(&format!("[{segment}]"));
        } else {
            path.push('.');
            path.push_str(&segment);
        }
    }
    path
}

fn unknown_members(
    value: &Value,
    schema: &Value,
    root: &Value,
    path: &str,
    depth: usize,
    notices: &mut Vec<Notice>,
) {
    if depth > DEPTH_MAX {
        return;
    }
    let schema = resolved(schema, root);
    match value {
        Value::Object(members) => {
            let nothing = Map::new();
            let is_closed = schema.get("type").is_some_and(|kind| kind == "object")
                && schema.get("additionalProperties").is_none();
            let known = match schema.get("properties").and_then(Value::as_object) {
                Some(known) => known,
                // A configuration without members, unlike a map of names that the user chooses.
                None if is_closed => &nothing,
                None => return,
            };
            for (name, member) in members {
                let path = format!("{path}.{name}");
                match known.get(name) {
                    Some(schema) => {
                        unknown_members(member, schema, root, &path, depth + 1, notices);
                    }
                    None => notices.push(Notice::new(
                        "unknown-field",
                        path,
                        "kept, but the policy does not know this member",
                    )),
                }
            }
        }
        Value::Array(items) => {
            let Some(schema) = schema.get("items") else {
                return;
            };
            for (index, item) in items.iter().enumerate() {
                let path = format!("{path}[{index}]");
                unknown_members(item, schema, root, &path, depth + 1, notices);
            }
        }
        _ => {}
    }
}

/// Follows a reference into the definitions of the schema.
fn resolved<'s>(schema: &'s Value, root: &'s Value) -> &'s Value {
    schema
        .get("$ref")
        .and_then(Value::as_str)
        .and_then(|reference| root.pointer(reference.strip_prefix('#')?))
        .unwrap_or(schema)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn schema() -> Value {
        json!({
            "type": "object",
            "properties": {
                "items": {"type": "array", "items": {"$ref": "#/$defs/Item"}},
                "flag": {"type": "boolean"}
            },
            "$defs": {"Item": {
                "type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}
            }}
        })
    }

    #[test]
    fn wrong_types_and_missing_members_are_violations_with_their_place() {
        let configuration = json!({"items": [{"name": 5}, {}], "flag": "yes"});
        let findings = check(&configuration, &schema(), "c");
        let mut found: Vec<String> = findings
            .violations
            .iter()
            .map(ToString::to_string)
            .collect();
        found.sort();
        assert_eq!(
            found,
            [
                "c.flag: \"yes\", expected type \"boolean\"",
                "c.items[0].name: 5, expected type \"string\"",
                "c.items[1].name: nothing, expected a value (required)",
            ]
        );
    }

    #[test]
    fn unknown_members_are_notices_at_any_depth() {
        let configuration = json!({"scope": "REQUEST", "items": [{"name": "a", "extra": 1}]});
        let findings = check(&configuration, &schema(), "c");
        assert!(findings.violations.is_empty());
        let paths: Vec<&str> = findings
            .notices
            .iter()
            .map(|notice| notice.path.as_str())
            .collect();
        assert_eq!(paths, ["c.scope", "c.items[0].extra"]);
    }

    #[test]
    fn text_that_holds_json_is_read_as_the_object() {
        let text = Value::from(r#"{"flag": 1}"#);
        assert_eq!(check(&text, &schema(), "c").violations.len(), 1);
        assert!(check(&Value::Null, &schema(), "c").violations.is_empty());
        assert_eq!(
            check(&Value::from("[1]"), &schema(), "c").violations.len(),
            1
        );
        assert_eq!(check(&Value::from("{"), &schema(), "c").violations.len(), 1);
    }
}
