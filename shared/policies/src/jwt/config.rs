//! Configuration of `jwt`.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use tidegate_policy::ConfigError;

use super::algorithm::Signature;
use crate::configuration::{normalized, null_as_default};

/// Which tokens are accepted, where their keys are found and what of them is passed on.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct JwtConfig {
    /// Algorithm of the signature; tokens that name another one are refused. Default `RSA_RS256`.
    #[serde(deserialize_with = "null_as_default")]
    #[schemars(with = "Option<Signature>")]
    pub signature: Signature,
    /// Where the key is found. Default `GIVEN_KEY`.
    #[serde(deserialize_with = "null_as_default")]
    #[schemars(with = "Option<KeyResolver>")]
    pub public_key_resolver: KeyResolver,
    /// The key (PEM, JWK, `ssh-rsa` or secret) or the URL of the key set; may have expressions.
    pub resolver_parameter: Option<String>,
    /// Milliseconds to connect to the URL of the key set. Default 2000.
    pub connect_timeout: Option<u64>,
    /// Milliseconds for a whole call to the URL of the key set. Default 2000.
    pub request_timeout: Option<u64>,
    /// Whether redirects of the URL of the key set are followed.
    pub follow_redirects: Option<bool>,
    /// Whether the key set is fetched through the proxy of the node.
    pub use_system_proxy: Option<bool>,
    /// Whether all claims are put into the attribute `jwt.claims`.
    pub extract_claims: Option<bool>,
    /// Whether the endpoint sees the `Authorization` header. Default true.
    pub propagate_auth_header: Option<bool>,
    /// Claim that names the user. Default `sub`.
    pub user_claim: Option<String>,
    /// Claim that names the client; else `azp`, `aud` and `client_id` in this order.
    pub client_id_claim: Option<String>,
    /// Whether the token must belong to the client's certificate (RFC 8705 §3).
    pub confirmation_method_validation: Option<ConfirmationConfig>,
    /// Which types of tokens, as their header names them, are accepted.
    pub token_typ_validation: Option<TypConfig>,
}

/// Where the key of a token is found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum KeyResolver {
    /// The parameter is the key.
    #[default]
    #[serde(rename = "GIVEN_KEY")]
    GivenKey,
    /// The settings of the node hold a key per issuer and key id.
    #[serde(rename = "GATEWAY_KEYS")]
    GatewayKeys,
    /// The parameter is the URL of a JSON web key set.
    #[serde(rename = "JWKS_URL")]
    JwksUrl,
}

/// Whether the token must belong to the client's certificate.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ConfirmationConfig {
    /// Whether a token without a confirmation is accepted.
    pub ignore_missing: Option<bool>,
    /// Confirmation by the thumbprint of the client's certificate.
    pub certificate_bound_thumbprint: Option<ThumbprintConfig>,
}

/// Confirmation by the thumbprint of the client's certificate.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ThumbprintConfig {
    /// Whether the thumbprint is checked.
    pub enabled: Option<bool>,
    /// Whether the certificate is read from a header instead of the TLS connection.
    pub extract_certificate_from_header: Option<bool>,
    /// Header with the certificate as URL-encoded PEM. Default `ssl-client-cert`.
    pub header_name: Option<String>,
}

/// Which types of tokens are accepted.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct TypConfig {
    /// Whether the type is checked.
    pub enabled: Option<bool>,
    /// Whether a token without a type is accepted.
    pub ignore_missing: Option<bool>,
    /// Accepted types. Default `JWT` alone.
    pub expected_values: Option<Vec<String>>,
    /// Whether case makes no difference.
    pub ignore_case: Option<bool>,
}

impl JwtConfig {
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
