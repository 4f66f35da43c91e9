//! Configuration of `html-json`.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::configuration::null_as_default;

/// Which texts of an HTML body become members of a JSON object.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct HtmlJsonConfig {
    /// Members in order; a later one of the same name replaces an earlier.
    #[serde(deserialize_with = "null_as_default", alias = "jsonAttributes")]
    #[schemars(with = "Option<Vec<HtmlMember>>")]
    pub selectors: Vec<HtmlMember>,
}

/// A member.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HtmlMember {
    /// Name of the member.
    pub json_name: String,
    /// CSS selector of the elements whose text is taken.
    pub selector: String,
    /// Whether the member is a list with the text of each element. Default false: one text of all.
    #[serde(default)]
    pub array: Option<bool>,
}
