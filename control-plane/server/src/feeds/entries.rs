//! From the answer of a provider to entries: JSON, transformation, pairs, all of it bounded.

use std::collections::BTreeMap;

use serde_json::Value;
use tidegate_jolt::Transformation;
use tidegate_model::asset::ENTRIES_BYTES_MAX;

/// Most entries of one answer.
const ENTRIES_MAX: usize = 10_000;
/// Longest key, in bytes.
const KEY_BYTES_MAX: usize = 2048;

/// What an answer says.
pub(super) type Entries = BTreeMap<String, String>;

/// Why an answer gives no entries. Never shows what the provider sent.
#[derive(Debug, thiserror::Error)]
pub(super) enum EntriesError {
    #[error("the answer is not JSON: line {line}, column {column}")]
    NotJson { line: usize, column: usize },
    #[error("the transformation failed: {0}")]
    Transformation(#[from] tidegate_jolt::TransformError),
    #[error("expected a list of {{\"key\", \"value\"}} or an object with plain values, found {0}")]
    Shape(&'static str),
    #[error("entry {0}: expected a text, a number or a flag as value")]
    Value(usize),
    #[error("entry {0}: expected a key of 1 to {KEY_BYTES_MAX} bytes")]
    Key(usize),
    #[error("more than {ENTRIES_MAX} entries")]
    TooMany,
    #[error("more than {ENTRIES_BYTES_MAX} bytes of entries")]
    TooLarge,
}

/// Reads the entries of an answer.
pub(super) fn read(
    answer: &[u8],
    transformation: Option<&Transformation>,
) -> Result<Entries, EntriesError> {
    let answer: Value = serde_json::from_slice(answer).map_err(|error| EntriesError::NotJson {
        line: error.line(),
        column: error.column(),
    })?;
    let answer = match transformation {
        Some(transformation) => transformation.apply(answer)?,
        None => answer,
    };
    let mut entries = Entries::new();
    let mut bytes = 0;
    for (position, (key, value)) in pairs(answer)?.into_iter().enumerate() {
        if position == ENTRIES_MAX {
            return Err(EntriesError::TooMany);
        }
        let key = key.filter(|key| (1..=KEY_BYTES_MAX).contains(&key.len()));
        let key = key.ok_or(EntriesError::Key(position))?;
        let Some(value) = text_of(value) else {
            return Err(EntriesError::Value(position));
        };
        bytes += key.len() + value.len();
        if bytes > ENTRIES_BYTES_MAX {
            return Err(EntriesError::TooLarge);
        }
        entries.insert(key, value);
    }
    Ok(entries)
}

fn pairs(answer: Value) -> Result<Vec<(Option<String>, Value)>, EntriesError> {
    match answer {
        Value::Array(items) => Ok(items.into_iter().map(pair).collect()),
        Value::Object(members) => Ok(members
            .into_iter()
            .map(|(key, value)| (Some(key), value))
            .collect()),
        // A shift that matched nothing.
        Value::Null => Ok(Vec::new()),
        Value::String(_) => Err(EntriesError::Shape("a text")),
        Value::Number(_) => Err(EntriesError::Shape("a number")),
        Value::Bool(_) => Err(EntriesError::Shape("a flag")),
    }
}

fn pair(item: Value) -> (Option<String>, Value) {
    let Value::Object(mut members) = item else {
        return (None, Value::Null);
    };
    let key = members.remove("key").and_then(text_of);
    (key, members.remove("value").unwrap_or_default())
}

fn text_of(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn entries(answer: &Value, specification: Option<Value>) -> Result<Entries, EntriesError> {
        let transformation = specification.map(|it| Transformation::compile(&it).unwrap());
        read(answer.to_string().as_bytes(), transformation.as_ref())
    }

    #[test]
    fn pairs_and_plain_objects_are_entries() {
        let expected = Entries::from([("a".to_owned(), "1".to_owned())]);
        for answer in [
            json!([{"key": "a", "value": "1"}]),
            json!([{"key": "a", "value": 1}]),
            json!({"a": "1"}),
        ] {
            assert_eq!(entries(&answer, None).unwrap(), expected);
        }
        assert!(entries(&json!([]), None).unwrap().is_empty());
    }

    #[test]
    fn a_specification_makes_pairs_of_anything() {
        let answer = json!({"data": {"rate": "12", "mode": "fast"}});
        let specification =
            json!([{"operation": "shift", "spec": {"data": {"rate": "rate", "mode": "mode"}}}]);
        let found = entries(&answer, Some(specification)).unwrap();
        assert_eq!(found.get("mode").map(String::as_str), Some("fast"));
        assert_eq!(found.len(), 2);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let long = "x".repeat(ENTRIES_BYTES_MAX);
        for (answer, expected) in [
            (json!("text"), "found a text"),
            (json!([1]), "entry 0: expected a key"),
            (
                json!([{"key": "", "value": "1"}]),
                "entry 0: expected a key",
            ),
            (json!([{"key": "a"}]), "entry 0: expected a text"),
            (json!({"a": {"b": 1}}), "entry 0: expected a text"),
            (json!({"a": long}), "bytes of entries"),
            (
                json!(
                    (0..=ENTRIES_MAX)
                        .map(|n| json!({"key": n, "value": n}))
                        .collect::<Vec<_>>()
                ),
                "more than 10000",
            ),
        ] {
            let error = entries(&answer, None).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
        let error = read(b"{", None).unwrap_err().to_string();
        assert!(error.contains("not JSON"), "{error}");
    }
}
