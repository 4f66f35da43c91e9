//! Configuration of `oauth2`.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use tidegate_policy::ConfigError;

use crate::configuration::{normalized, null_as_default};

/// Who is asked about a token, and which scopes it needs.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OAuth2Config {
    /// Name of the OAuth2 resource that knows the tokens; may have expressions.
    pub oauth_resource: String,
    /// Name of the cache resource that keeps answers until the tokens expire.
    #[serde(default)]
    pub oauth_cache_resource: Option<String>,
    /// Whether the answer is put into the attribute `oauth.payload`.
    #[serde(default)]
    pub extract_payload: Option<bool>,
    /// Whether the token must have the scopes of `requiredScopes`.
    #[serde(default)]
    pub check_required_scopes: Option<bool>,
    /// Scopes that the token must have.
    #[serde(default, deserialize_with = "null_as_default")]
    #[schemars(with = "Option<Vec<String>>")]
    pub required_scopes: Vec<String>,
    /// Whether all required scopes must be there, not just one. Default true.
    #[serde(default)]
    pub mode_strict: Option<bool>,
    /// Whether the endpoint sees the `Authorization` header. Default true.
    #[serde(default)]
    pub propagate_auth_header: Option<bool>,
}

impl OAuth2Config {
    /// Reads the `configuration` of a plan's `security`.
    ///
    /// # Errors
    /// Fails with the member that has a wrong form.
    pub fn parse(configuration: &Value) -> Result<Self, ConfigError> {
        let configuration = normalized(configuration)
            .map_err(|reason| ConfigError::new("", reason, "an object"))?;
        serde_path_to_error::deserialize(&*configuration).map_err(|error| {
            let path = error.path().to_string();
            ConfigError::new(path, "a value of the wrong form", error.inner().to_string())
        })
    }
}
