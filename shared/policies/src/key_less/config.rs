//! Configuration of `key-less`.

use schemars::JsonSchema;
use serde::Deserialize;

/// Lets every request pass; there is nothing to configure.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct KeyLessConfig {}
