//! Configuration of `api-key`.

use http::HeaderName;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use tidegate_policy::ConfigError;

use crate::configuration::{normalized, null_as_default};

/// Where the key is looked for and whether the endpoint sees it.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ApiKeyConfig {
    /// Whether the key stays in the request that goes to the endpoint.
    #[serde(deserialize_with = "null_as_default")]
    #[schemars(with = "Option<bool>")]
    pub propagate_api_key: bool,
    /// Whether the key is looked for in `apiKeyHeader` alone.
    #[serde(deserialize_with = "null_as_default")]
    #[schemars(with = "Option<bool>")]
    pub enable_custom_api_key_header: bool,
    /// Header of this plan, if `enableCustomApiKeyHeader` is set.
    pub api_key_header: Option<String>,
}

impl ApiKeyConfig {
    /// Reads the `configuration` of a plan's `security`.
    ///
    /// # Errors
    /// Fails with the member that has a wrong type, or with `apiKeyHeader` if it is no header name.
    pub fn parse(configuration: &Value) -> Result<Self, ConfigError> {
        let configuration = normalized(configuration)
            .map_err(|reason| ConfigError::new("", reason, "an object"))?;
        let config: Self = serde_path_to_error::deserialize(&*configuration).map_err(|error| {
            let path = error.path().to_string();
            ConfigError::new(path, "a value of the wrong form", error.inner().to_string())
        })?;
        config.custom_header()?;
        Ok(config)
    }

    /// Returns the plan's own header, if it has one.
    ///
    /// # Errors
    /// Fails if the name is no header name.
    pub fn custom_header(&self) -> Result<Option<HeaderName>, ConfigError> {
        if !self.enable_custom_api_key_header {
            return Ok(None);
        }
        let name = self.api_key_header.as_deref().unwrap_or_default().trim();
        HeaderName::from_bytes(name.as_bytes())
            .map(Some)
            .map_err(|_error| {
                ConfigError::new("apiKeyHeader", format!("{name:?}"), "a header name")
            })
    }
}
