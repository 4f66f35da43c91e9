//! Configuration of `policy-assign-attributes`.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::configuration::null_as_default;

/// Sets attributes that later steps and expressions read.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct AssignAttributesConfig {
    /// Attributes to set, in order.
    #[serde(deserialize_with = "null_as_default")]
    #[schemars(with = "Option<Vec<AttributeConfig>>")]
    pub attributes: Vec<AttributeConfig>,
}

/// An attribute with its value.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AttributeConfig {
    /// Name of the attribute. Names that begin with `gravitee.attribute.` change how the gateway
    /// behaves, such as `gravitee.attribute.request.endpoint`.
    pub name: String,
    /// Value with expressions; a value that is one whole expression keeps its type, and null removes
    /// the attribute.
    #[serde(default)]
    pub value: Option<String>,
}
