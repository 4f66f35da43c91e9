//! Configuration of `javascript`.

use schemars::JsonSchema;
use serde::Deserialize;

/// Runs JavaScript on the request and the response.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct JavascriptConfig {
    /// Script for the head of the request.
    pub on_request_script: Option<String>,
    /// Script for the head of the response.
    pub on_response_script: Option<String>,
    /// Script for the body of the request; its value, as text, replaces the body.
    pub on_request_content_script: Option<String>,
    /// Script for the body of the response; its value, as text, replaces the body.
    pub on_response_content_script: Option<String>,
}
