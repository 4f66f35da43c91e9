//! Configuration of `groovy`.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::configuration::null_as_default;

/// Runs Groovy scripts; kept and checked, but Tidegate does not run Groovy.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct GroovyConfig {
    /// Script of the step.
    pub script: Option<String>,
    /// Whether the script reads the body.
    #[serde(deserialize_with = "null_as_default")]
    #[schemars(with = "Option<bool>")]
    pub read_content: bool,
    /// Whether the value of the script replaces the body.
    #[serde(deserialize_with = "null_as_default")]
    #[schemars(with = "Option<bool>")]
    pub override_content: bool,
    /// Older form: script for the head of the request.
    pub on_request_script: Option<String>,
    /// Older form: script for the head of the response.
    pub on_response_script: Option<String>,
    /// Older form: script for the body of the request.
    pub on_request_content_script: Option<String>,
    /// Older form: script for the body of the response.
    pub on_response_content_script: Option<String>,
}
