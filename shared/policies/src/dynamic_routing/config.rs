//! Configuration of `dynamic-routing`.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::configuration::null_as_default;

/// Chooses the endpoint by the path.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct DynamicRoutingConfig {
    /// Rules, in order; the first one whose pattern matches counts.
    #[serde(deserialize_with = "null_as_default")]
    #[schemars(with = "Option<Vec<RoutingRuleConfig>>")]
    pub rules: Vec<RoutingRuleConfig>,
}

/// A pattern and where requests go that match it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RoutingRuleConfig {
    /// Regular expression that the whole path below the context path must match, with expressions.
    pub pattern: String,
    /// Endpoint with an optional path, or URL, with expressions; `#group[0]` is the first group of the
    /// pattern and `#groupName['x']` the group named `x`.
    pub url: String,
}
