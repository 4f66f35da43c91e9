//! Configuration of `policy-assign-metrics`.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::configuration::null_as_default;

/// Adds fields of its own to the exchange's record.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct AssignMetricsConfig {
    /// Fields to set, in order.
    #[serde(deserialize_with = "null_as_default")]
    #[schemars(with = "Option<Vec<MetricConfig>>")]
    pub metrics: Vec<MetricConfig>,
}

/// A field with its value.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MetricConfig {
    /// Name of the field.
    pub name: String,
    /// Value with expressions; a value that is one whole expression keeps its type.
    #[serde(default)]
    pub value: Option<String>,
}
