//! Configurations of identity servers whose endpoints are known.

use schemars::JsonSchema;
use serde::Deserialize;
use tidegate_model::Secret;

use super::secret;

/// A domain of Gravitee Access Management.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AccessManagementConfig {
    /// URL of its gateway.
    #[serde(rename = "serverURL")]
    pub server_url: String,
    /// Its version. Default `V3_X`.
    #[serde(default)]
    pub version: Option<AmVersion>,
    /// The domain.
    pub security_domain: String,
    /// Id of the gateway in the domain.
    pub client_id: String,
    /// Secret of the gateway in the domain.
    #[serde(deserialize_with = "secret")]
    #[schemars(with = "String")]
    pub client_secret: Secret<String>,
    /// Member of the answer that names the user. Default `sub`.
    #[serde(default)]
    pub user_claim: Option<String>,
}

/// Versions of Access Management differ in their endpoints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum AmVersion {
    /// Before 2.
    #[serde(rename = "V1_X")]
    V1,
    /// 2.
    #[serde(rename = "V2_X")]
    V2,
    /// 3 and later.
    #[default]
    #[serde(rename = "V3_X")]
    V3,
}

/// A realm of Keycloak.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KeycloakConfig {
    /// The adapter configuration that Keycloak exports, as JSON text.
    #[serde(deserialize_with = "secret")]
    #[schemars(with = "String")]
    pub keycloak_configuration: Secret<String>,
    /// Accepted for old definitions: the realm is always asked.
    #[serde(default)]
    pub validate_token_locally: Option<bool>,
    /// Member of the answer that names the user. Default `sub`.
    #[serde(default)]
    pub user_claim: Option<String>,
    /// Whether the name in the server's certificate is checked. Default true; cannot be switched off alone.
    #[serde(default)]
    pub verify_host: Option<bool>,
    /// Whether any certificate of the server is accepted. Default false.
    #[serde(default)]
    pub trust_all: Option<bool>,
}

/// What the exported adapter configuration says.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct KeycloakRealm {
    /// Name of the realm.
    pub realm: String,
    /// URL of Keycloak.
    pub auth_server_url: String,
    /// Id of the gateway in the realm.
    pub resource: String,
    /// Its credentials.
    #[serde(default)]
    pub credentials: KeycloakCredentials,
}

/// Credentials of a client of a realm.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct KeycloakCredentials {
    /// The client's secret.
    #[serde(default, deserialize_with = "secret")]
    pub secret: Secret<String>,
}

impl KeycloakConfig {
    /// Reads the exported adapter configuration; `None` if it is none.
    #[must_use]
    pub fn realm(&self) -> Option<KeycloakRealm> {
        serde_json::from_str(self.keycloak_configuration.expose()).ok()
    }
}
