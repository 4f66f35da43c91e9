//! Configuration of `spike-arrest`.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::configuration::null_as_default;
use crate::counting::{ErrorStrategy, WindowConfig};
use crate::rate_limit::ShortUnit;

/// Spreads the requests of seconds or minutes over slices of at least 100 milliseconds.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SpikeArrestConfig {
    /// Whether edges count by themselves and merge their counters in the background.
    #[serde(default, rename = "async", deserialize_with = "null_as_default")]
    #[schemars(with = "Option<bool>")]
    pub is_async: bool,
    /// Whether the response tells the limit of a slice, its length and its end.
    #[serde(default, deserialize_with = "null_as_default")]
    #[schemars(with = "Option<bool>")]
    pub add_headers: bool,
    /// What happens to a request that nobody can count.
    #[serde(default, deserialize_with = "null_as_default")]
    #[schemars(with = "Option<ErrorStrategy>")]
    pub error_strategy: ErrorStrategy,
    /// The limit and its period.
    pub spike: WindowConfig<ShortUnit>,
}
