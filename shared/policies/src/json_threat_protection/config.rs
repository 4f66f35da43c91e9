//! Configuration of `json-threat-protection`.

use schemars::JsonSchema;
use serde::Deserialize;

/// Bounds the structure of JSON bodies.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct JsonThreatProtectionConfig {
    /// Most members of one object; -1 for no limit.
    pub max_entries: Option<i64>,
    /// Most elements of one array; -1 for no limit.
    pub max_array_size: Option<i64>,
    /// Deepest nesting of objects and arrays; -1 for the parser's own limit of 127.
    pub max_depth: Option<i64>,
    /// Longest name of a member in UTF-16 units; -1 for no limit.
    pub max_name_length: Option<i64>,
    /// Longest text value in UTF-16 units; -1 for no limit.
    pub max_value_length: Option<i64>,
    /// Whether an object that names a member twice is refused. True if nothing is said.
    pub prevent_duplicate_key: Option<bool>,
}

impl Default for JsonThreatProtectionConfig {
    fn default() -> Self {
        Self {
            max_entries: Some(100),
            max_array_size: Some(100),
            max_depth: Some(100),
            max_name_length: Some(100),
            max_value_length: Some(100),
            prevent_duplicate_key: Some(true),
        }
    }
}
