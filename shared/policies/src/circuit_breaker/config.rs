//! Configuration of `policy-circuit-breaker`.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::number::WholeNumber;

/// Stops calling an endpoint that fails or is slow, for a while.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct CircuitBreakerConfig {
    /// Percentage of failed calls that opens the circuit; 50 if nothing is said.
    pub failure_rate_threshold: Option<WholeNumber>,
    /// Percentage of slow calls that opens the circuit; 100 if nothing is said.
    pub slow_call_rate_threshold: Option<WholeNumber>,
    /// Time from which a call is slow, in milliseconds; 1000 if nothing is said.
    pub slow_call_duration_threshold: Option<WholeNumber>,
    /// How many of the last calls are looked at, at most 10000; 100 if nothing is said.
    pub window_size: Option<WholeNumber>,
    /// How long the circuit stays open, in milliseconds; 1000 if nothing is said.
    pub wait_duration_in_open_state: Option<WholeNumber>,
    /// URL that is called while the circuit is open, with expressions.
    #[serde(rename = "redirectToURL")]
    pub redirect_to_url: Option<String>,
}
