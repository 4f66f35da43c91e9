//! Configuration of `policy-assign-content`.

use schemars::JsonSchema;
use serde::Deserialize;

/// Replaces the body.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AssignContentConfig {
    /// The new body as a FreeMarker template.
    pub body: String,
}
