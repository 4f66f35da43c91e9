//! Configuration of `regex-threat-protection`.

use schemars::JsonSchema;
use serde::Deserialize;

/// Refuses requests in which a regular expression is found.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RegexThreatProtectionConfig {
    /// What must not be in a request; a dot is any character, line breaks included.
    pub regex: String,
    /// Whether upper and lower case differ. False if nothing is said.
    #[serde(default)]
    pub case_sensitive: Option<bool>,
    /// Whether the expression must match the body as a whole; otherwise a part is enough. True if nothing
    /// is said. Headers, path and query are always compared as a whole.
    #[serde(default)]
    pub full_matching: Option<bool>,
    /// Whether names and values of headers are looked at. True if nothing is said.
    #[serde(default)]
    pub check_headers: Option<bool>,
    /// Whether the path below the context path and the query are looked at. True if nothing is said.
    #[serde(default)]
    pub check_path: Option<bool>,
    /// Whether the body is looked at. True if nothing is said.
    #[serde(default)]
    pub check_body: Option<bool>,
}
