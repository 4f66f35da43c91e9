//! Configuration of `json-xml`.

use schemars::JsonSchema;
use serde::Deserialize;

/// Makes XML of a JSON body.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct JsonXmlConfig {
    /// Name of the element around everything; `root` if nothing is said.
    pub root_element: Option<String>,
}
