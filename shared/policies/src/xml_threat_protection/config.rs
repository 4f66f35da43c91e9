//! Configuration of `xml-threat-protection`.

use schemars::JsonSchema;
use serde::Deserialize;

/// Bounds the structure of XML bodies.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct XmlThreatProtectionConfig {
    /// Most elements of the document; -1 for no limit, as for all limits.
    pub max_elements: Option<i64>,
    /// Deepest nesting of elements.
    pub max_depth: Option<i64>,
    /// Most characters of the document.
    pub max_length: Option<i64>,
    /// Most attributes of one element.
    pub max_attributes_per_element: Option<i64>,
    /// Most characters of one attribute's value.
    pub max_attribute_value_length: Option<i64>,
    /// Most elements directly in one element.
    pub max_children_per_element: Option<i64>,
    /// Most characters of one run of text.
    pub max_text_value_length: Option<i64>,
    /// Most entities that would be expanded, those in entities included.
    pub max_entities: Option<i64>,
    /// Deepest nesting of entities in entities.
    pub max_entity_depth: Option<i64>,
    /// Whether a document may name entities or a definition outside of itself. False if nothing is said.
    pub allow_external_entities: Option<bool>,
}

impl Default for XmlThreatProtectionConfig {
    fn default() -> Self {
        Self {
            max_elements: Some(1000),
            max_depth: Some(100),
            max_length: Some(1000),
            max_attributes_per_element: Some(100),
            max_attribute_value_length: Some(100),
            max_children_per_element: Some(100),
            max_text_value_length: Some(100),
            max_entities: Some(100),
            max_entity_depth: Some(100),
            allow_external_entities: Some(false),
        }
    }
}
