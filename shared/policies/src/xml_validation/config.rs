//! Configuration of `xml-validation`.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::configuration::null_as_default;

/// The schema of XML bodies.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct XmlValidationConfig {
    /// The schema: one document of XML Schema 1.0.
    #[serde(deserialize_with = "null_as_default")]
    #[schemars(with = "String")]
    pub xsd_schema: String,
    /// Body of the error as XML, with expressions. Default `Bad Request`.
    pub error_message: Option<String>,
}
