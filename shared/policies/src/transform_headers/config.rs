//! Configuration of `transform-headers`.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::configuration::null_as_default;
use crate::header::HeaderConfig;

/// Sets, keeps and removes headers of the request or the response.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct TransformHeadersConfig {
    /// Headers to set, in order; a header that exists is replaced.
    #[serde(deserialize_with = "null_as_default")]
    #[schemars(with = "Option<Vec<HeaderConfig>>")]
    pub add_headers: Vec<HeaderConfig>,
    /// If not empty, only headers of these names are kept, after setting.
    #[serde(deserialize_with = "null_as_default")]
    #[schemars(with = "Option<Vec<String>>")]
    pub whitelist_headers: Vec<String>,
    /// Headers to remove, last.
    #[serde(deserialize_with = "null_as_default")]
    #[schemars(with = "Option<Vec<String>>")]
    pub remove_headers: Vec<String>,
}
