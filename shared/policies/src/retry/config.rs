//! Configuration of `retry`.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::configuration::null_as_default;
use crate::number::WholeNumber;

/// Calls the endpoint again while a condition holds for its response.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct RetryConfig {
    /// Whether to call again, seen from `#response`.
    #[schemars(required)]
    pub condition: String,
    /// How often to call again, at most 100; 1 if nothing is said.
    pub max_retries: Option<WholeNumber>,
    /// Wait before each further call in milliseconds.
    pub delay: Option<WholeNumber>,
    /// Time for each call in milliseconds; 1000 if nothing is said.
    pub timeout: Option<WholeNumber>,
    /// Whether the last response is given when no call was good.
    #[serde(deserialize_with = "null_as_default")]
    #[schemars(with = "Option<bool>")]
    pub last_response: bool,
}
