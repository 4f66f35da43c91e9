//! Configuration of `latency`.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::configuration::null_as_default;

/// Makes the request wait before it goes on.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct LatencyConfig {
    /// How long the request waits; 100 if nothing is said, at most an hour.
    pub time: Option<u64>,
    /// Unit of `time`; milliseconds if nothing is said.
    #[serde(deserialize_with = "null_as_default")]
    #[schemars(with = "Option<LatencyUnit>")]
    pub time_unit: LatencyUnit,
}

/// Units of a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum LatencyUnit {
    /// Thousandths of a second.
    #[default]
    Milliseconds,
    /// Seconds.
    Seconds,
}
