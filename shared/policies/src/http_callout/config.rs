//! Configuration of `policy-http-callout`.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::configuration::null_as_default;
use crate::header::HeaderConfig;
use crate::number::WholeNumber;
use crate::variables::VariableConfig;

/// Calls another system and keeps what it answered in attributes.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct HttpCalloutConfig {
    /// URL to call, with expressions.
    #[schemars(required)]
    pub url: String,
    /// Method of the call; `GET` if nothing is said.
    pub method: Option<String>,
    /// Headers of the call.
    #[serde(deserialize_with = "null_as_default")]
    #[schemars(with = "Option<Vec<HeaderConfig>>")]
    pub headers: Vec<HeaderConfig>,
    /// Body of the call, with expressions.
    pub body: Option<String>,
    /// Whether the exchange goes on without waiting for the answer.
    #[serde(deserialize_with = "null_as_default")]
    #[schemars(with = "Option<bool>")]
    pub fire_and_forget: bool,
    /// Attributes to set; their expressions see `#calloutResponse`.
    #[serde(deserialize_with = "null_as_default")]
    #[schemars(with = "Option<Vec<VariableConfig>>")]
    pub variables: Vec<VariableConfig>,
    /// Whether an answer that meets `errorCondition` ends the exchange.
    #[serde(deserialize_with = "null_as_default")]
    #[schemars(with = "Option<bool>")]
    pub exit_on_error: bool,
    /// What makes an answer an error; a status from 400 to 599 if nothing is said.
    pub error_condition: Option<String>,
    /// Status of the exchange that ends; 500 if nothing is said.
    pub error_status_code: Option<WholeNumber>,
    /// Body of the exchange that ends, with expressions.
    pub error_content: Option<String>,
    /// Whether the node's outbound proxy is used.
    #[serde(deserialize_with = "null_as_default")]
    #[schemars(with = "Option<bool>")]
    pub use_system_proxy: bool,
}
