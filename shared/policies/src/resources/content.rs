//! Configurations of documents.

use schemars::JsonSchema;
use serde::Deserialize;
use tidegate_model::Secret;

use super::{CallHeader, secret};
use crate::configuration::null_as_default;

/// A document written into the definition.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InlineContentConfig {
    /// The document.
    pub content: String,
}

/// A schema registry with the interface of Confluent's.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SchemaRegistryConfig {
    /// URL of the registry.
    pub registry_url: String,
    /// Who asks; nobody in particular if nothing is said.
    #[serde(default)]
    pub authentication: Option<RegistryAuthentication>,
    /// Milliseconds for a call. Default 5000.
    #[serde(default)]
    pub timeout: Option<u64>,
}

/// Who asks a schema registry.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RegistryAuthentication {
    /// The user.
    #[serde(default)]
    pub username: Option<String>,
    /// The user's password.
    #[serde(default, deserialize_with = "secret")]
    #[schemars(with = "Option<String>")]
    pub password: Secret<String>,
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
