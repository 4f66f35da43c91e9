//! Configuration of `json-validation`.

use schemars::JsonSchema;
use serde::Deserialize;

/// Checks JSON bodies against a schema.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct JsonValidationConfig {
    /// The JSON schema as text; without `$schema` it is read as draft 4.
    pub schema: String,
    /// Body of the refusal as JSON, with expressions.
    #[serde(default)]
    pub error_message: Option<String>,
    /// Accepted and without effect: a schema that is no schema is refused at deployment.
    #[serde(default)]
    pub validate_unchecked: Option<bool>,
    /// Accepted and without effect on the outcome: the first violation decides.
    #[serde(default)]
    pub deep_check: Option<bool>,
    /// Whether a response passes although it is invalid; the violation is logged. False if nothing is said.
    #[serde(default)]
    pub straight_respond_mode: Option<bool>,
}
