//! Configuration of `custom-query-parameters-parser`.

use schemars::JsonSchema;
use serde::Deserialize;

/// Reads the query with `&` as the only separator. There is nothing to configure.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
pub struct CustomQueryParametersParserConfig {}
