//! Configuration that the counting policies share.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::configuration::null_as_default;

/// A limit within a window of time.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(
    rename_all = "camelCase",
    default,
    bound(deserialize = "U: Deserialize<'de> + Default")
)]
pub struct WindowConfig<U: Default> {
    /// What is counted apart besides plan and subscription, with expressions.
    pub key: Option<String>,
    /// Whether `key` stands alone: then the counter is shared by all plans, subscriptions and APIs that use
    /// the same key.
    #[serde(deserialize_with = "null_as_default")]
    #[schemars(with = "Option<bool>")]
    pub use_key_only: bool,
    /// Most requests in the period; 0 if `dynamicLimit` says it.
    pub limit: Option<i64>,
    /// An expression for the most requests in the period.
    pub dynamic_limit: Option<String>,
    /// Length of the period in units; 0 if `dynamicPeriodTime` says it.
    pub period_time: Option<i64>,
    /// Unit of the period.
    pub period_time_unit: Option<U>,
    /// An expression for the length of the period, in seconds (for a quota in hours).
    pub dynamic_period_time: Option<String>,
}

/// What happens to a request that nobody can count.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
pub enum ErrorStrategy {
    /// It goes on.
    #[default]
    #[serde(rename = "FALLBACK_PASS_TROUGH", alias = "FALLBACK_PASS_THROUGH")]
    PassThrough,
    /// It is refused with 500.
    #[serde(rename = "BLOCK_ON_INTERNAL_ERROR")]
    Block,
}
