//! Configuration of `request-content-limit`.

use schemars::JsonSchema;
use serde::Deserialize;

/// Bounds the size of request bodies.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RequestContentLimitConfig {
    /// Most bytes of a body.
    pub limit: u64,
}
