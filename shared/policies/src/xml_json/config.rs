//! Configuration of `xml-json`.

use schemars::JsonSchema;
use serde::Deserialize;

/// Makes JSON of an XML body. There is nothing to configure.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
pub struct XmlJsonConfig {}
