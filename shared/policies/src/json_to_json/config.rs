//! Configuration of `json-to-json`.

use schemars::JsonSchema;
use serde::Deserialize;

/// Transforms JSON by a JOLT specification.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct JsonToJsonConfig {
    /// The JOLT specification as text, with expressions.
    pub specification: String,
    /// Whether `Content-Type` becomes `application/json`; true if nothing is said.
    #[serde(default)]
    pub override_content_type: Option<bool>,
}
