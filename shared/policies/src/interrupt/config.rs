//! Configuration of `policy-interrupt`.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::configuration::null_as_default;

/// Ends the exchange with an error.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InterruptConfig {
    /// Where the step acts; nothing said is the phase it stands in.
    #[serde(default)]
    pub scope: Option<InterruptScope>,
    /// Status of the error response, from 300 to 599; 500 if nothing is said.
    #[serde(default)]
    #[schemars(range(min = 300, max = 599))]
    pub status_code: Option<u16>,
    /// Key that response templates select by.
    pub error_key: String,
    /// Body of the error response where no template has another.
    pub message: String,
    /// `#parameters` of the response template.
    #[serde(default, deserialize_with = "null_as_default")]
    #[schemars(with = "Option<Vec<InterruptVariableConfig>>")]
    pub variables: Vec<InterruptVariableConfig>,
}

/// Where the step acts; the `_CONTENT` ones wait for the whole body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum InterruptScope {
    /// Before the request's body is read.
    Request,
    /// After the request's body was read.
    RequestContent,
    /// Before the response's body is read.
    Response,
    /// After the response's body was read.
    ResponseContent,
}

/// A parameter of the response template.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InterruptVariableConfig {
    /// Name of the parameter.
    pub name: String,
    /// Value with expressions; one that cannot be evaluated leaves the parameter out.
    #[serde(default)]
    pub value: Option<String>,
}
