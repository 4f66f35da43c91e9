//! Configuration of `status-code`.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::configuration::null_as_default;

/// Replaces the status of the response.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct StatusCodeConfig {
    /// Which status becomes which; of several mappings of one status the last one counts.
    #[serde(deserialize_with = "null_as_default")]
    #[schemars(with = "Option<Vec<StatusMappingConfig>>")]
    pub status_mappings: Vec<StatusMappingConfig>,
}

/// One status and what it becomes.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StatusMappingConfig {
    /// Status of the response as it is, from 100 to 599.
    #[schemars(range(min = 100, max = 599))]
    pub input_status_code: u16,
    /// Status of the response as the client gets it, from 200 to 599.
    #[schemars(range(min = 200, max = 599))]
    pub output_status_code: u16,
}
