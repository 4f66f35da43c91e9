//! Configuration of `url-rewriting`.

use schemars::JsonSchema;
use serde::Deserialize;

/// Rewrites URLs in headers and body of the response.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UrlRewritingConfig {
    /// Whether header values are rewritten; true if nothing is said.
    #[serde(default)]
    pub rewrite_response_headers: Option<bool>,
    /// Whether the body is rewritten; true if nothing is said.
    #[serde(default)]
    pub rewrite_response_body: Option<bool>,
    /// Regular expression of what is replaced, wherever it stands.
    pub from_regex: String,
    /// What replaces each match, with expressions; `#group[0]` is the first group of the expression and
    /// `#groupName['x']` the group named `x`.
    pub to_replacement: String,
}
