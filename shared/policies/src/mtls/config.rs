//! Configuration of `mtls`.

use schemars::JsonSchema;
use serde::Deserialize;

/// Has no members.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct MtlsConfig {}
