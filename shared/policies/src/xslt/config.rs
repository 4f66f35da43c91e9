//! Configuration of `xslt`.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::configuration::null_as_default;

/// Transforms an XML body by an XSLT stylesheet.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct XsltConfig {
    /// The stylesheet, XSLT 1.0.
    pub stylesheet: String,
    /// Values for the parameters of the stylesheet.
    #[serde(default, deserialize_with = "null_as_default")]
    #[schemars(with = "Option<Vec<XsltParameter>>")]
    pub parameters: Vec<XsltParameter>,
}

/// A value for a parameter of a stylesheet.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct XsltParameter {
    /// Name of the parameter.
    pub name: String,
    /// Its value, with expressions.
    #[serde(default, deserialize_with = "null_as_default")]
    #[schemars(with = "Option<String>")]
    pub value: String,
}
