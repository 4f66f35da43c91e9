//! Configuration of `http-redirect`.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::configuration::null_as_default;
use crate::status::Status;

/// Which paths are redirected, and where to.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct HttpRedirectConfig {
    /// Rules in order; the first whose pattern matches is taken.
    #[serde(deserialize_with = "null_as_default")]
    #[schemars(with = "Vec<RedirectRule>")]
    pub rules: Vec<RedirectRule>,
    /// Read and not used: patterns are compiled when the API is deployed.
    pub cache: Option<PatternCacheConfig>,
}

/// A cache of patterns, of no use here.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct PatternCacheConfig {
    /// Most patterns.
    pub max_items: Option<u64>,
    /// Milliseconds that a pattern is kept.
    pub time_to_live: Option<u64>,
}

/// A rule.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RedirectRule {
    /// Regular expression that must match the whole path below the context path; may have expressions.
    pub path: String,
    /// Value of `Location`, with expressions, which see `#group` and `#groupName`.
    pub location: String,
    /// Status of the response, from 300 to 308. Default 301.
    #[serde(default)]
    pub status: Option<Status>,
}
