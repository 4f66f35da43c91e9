//! Configuration of `policy-graphql-ratelimit`.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::configuration::null_as_default;
use crate::counting::ErrorStrategy;
use crate::number::WholeNumber;
use crate::rate_limit::ShortUnit;

/// Limits the cost of the GraphQL queries that pass in seconds or minutes.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct GraphqlRatelimitConfig {
    /// Most cost in the period.
    #[schemars(required)]
    pub limit: Option<i64>,
    /// Length of the period in units; 1 if nothing is said.
    pub period_time: Option<i64>,
    /// Unit of the period; seconds if nothing is said.
    pub period_time_unit: Option<ShortUnit>,
    /// Most cost of one query; 0 for no such limit.
    pub max_cost: Option<WholeNumber>,
    /// Whether edges count by themselves and merge their counters in the background.
    #[serde(rename = "async", deserialize_with = "null_as_default")]
    #[schemars(with = "Option<bool>")]
    pub is_async: bool,
    /// What happens to a request that nobody can count.
    #[serde(deserialize_with = "null_as_default")]
    #[schemars(with = "Option<ErrorStrategy>")]
    pub error_strategy: ErrorStrategy,
}
