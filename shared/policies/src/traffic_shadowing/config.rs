//! Configuration of `traffic-shadowing`.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::configuration::null_as_default;
use crate::header::HeaderConfig;

/// Sends a copy of the request elsewhere and ignores the answer.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct TrafficShadowingConfig {
    /// Where the copy goes, with expressions: an endpoint such as `{#endpoints['shadow']}`, or a URL.
    #[schemars(required)]
    pub target: String,
    /// Headers that only the copy has.
    #[serde(deserialize_with = "null_as_default")]
    #[schemars(with = "Option<Vec<HeaderConfig>>")]
    pub headers: Vec<HeaderConfig>,
}
