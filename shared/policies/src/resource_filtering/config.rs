//! Configuration of `resource-filtering`.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::configuration::null_as_default;

/// Lets only some paths and methods through.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ResourceFilteringConfig {
    /// If not empty, only requests that match one of these pass.
    #[serde(deserialize_with = "null_as_default")]
    #[schemars(with = "Option<Vec<ResourceConfig>>")]
    pub whitelist: Vec<ResourceConfig>,
    /// Requests that match one of these are refused.
    #[serde(deserialize_with = "null_as_default")]
    #[schemars(with = "Option<Vec<ResourceConfig>>")]
    pub blacklist: Vec<ResourceConfig>,
}

/// Paths and methods.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResourceConfig {
    /// Ant pattern of the path, with or without the context path of the API.
    pub pattern: String,
    /// Methods, such as `GET`; none means all. `OTHER` is any method that HTTP itself does not define.
    #[serde(default, deserialize_with = "null_as_default")]
    #[schemars(with = "Option<Vec<String>>")]
    pub methods: Vec<String>,
}
