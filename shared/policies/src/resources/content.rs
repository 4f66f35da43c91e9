//! Configurations of documents.

use schemars::JsonSchema;
use serde::Deserialize;

use super::CallHeader;
use crate::configuration::null_as_default;

/// A document written into the definition.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InlineContentConfig {
    /// The document.
    pub content: String,
}

/// A document behind a URL.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HttpContentConfig {
    /// URL of the document, or of the folder of documents that are named where they are used.
    pub url: String,
    /// Headers of the call.
    #[serde(default, deserialize_with = "null_as_default")]
    #[schemars(with = "Option<Vec<CallHeader>>")]
    pub headers: Vec<CallHeader>,
    /// Milliseconds for the whole call. Default 5000.
    #[serde(default)]
    pub timeout: Option<u64>,
}
