//! Values of expressions as JSON.

use serde_json::{Map, Value as Json, json};
use tidegate_expression::Value;

/// Writes a value; objects of the platform become their text, numbers that JSON cannot hold become null.
pub(crate) fn to_json(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(value) => json!(value),
        Value::Integer(value) => json!(value),
        Value::Float(value) => json!(value),
        Value::Text(text) => json!(text.as_str()),
        Value::List(values) => values.iter().map(to_json).collect(),
        Value::Map(map) => map
            .iter()
            .map(|(name, value)| (name.to_string(), to_json(value)))
            .collect::<Map<_, _>>()
            .into(),
        Value::Object(object) => json!(object.to_text().as_str()),
    }
}
