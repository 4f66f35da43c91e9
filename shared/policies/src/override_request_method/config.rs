//! Configuration of `policy-override-request-method`.

use schemars::JsonSchema;
use serde::Deserialize;

/// Calls the endpoint with another method.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct OverrideRequestMethodConfig {
    /// Method the endpoint is called with; GET if nothing is said.
    pub method: Option<String>,
}
