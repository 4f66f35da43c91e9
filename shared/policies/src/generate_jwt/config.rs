//! Configuration of `policy-generate-jwt`.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::configuration::null_as_default;
use crate::jwt::Signature;

/// What a token says and how it is signed.
#[derive(Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct GenerateJwtConfig {
    /// Algorithm of the signature. Default `RSA_RS256`.
    #[serde(deserialize_with = "null_as_default")]
    #[schemars(with = "Option<Signature>")]
    pub signature: Signature,
    /// Where the private key is. Default `INLINE`.
    #[serde(deserialize_with = "null_as_default")]
    #[schemars(with = "Option<KeyResolver>")]
    pub key_resolver: KeyResolver,
    /// The private key as PEM, the secret, or the path of a file on the edge.
    #[serde(deserialize_with = "null_as_default")]
    #[schemars(with = "String")]
    pub content: String,
    /// Name of the key in its store; the first key if absent.
    pub alias: Option<String>,
    /// Password of the key store.
    pub storepass: Option<String>,
    /// Password of the key in a Java key store; the store's if absent.
    pub keypass: Option<String>,
    /// Id of the key, for the token's header.
    pub kid: Option<String>,
    /// Whether the key's certificates are put into the token's header. Default `NONE`.
    #[serde(deserialize_with = "null_as_default")]
    #[schemars(with = "Option<CertificateChain>")]
    pub x509_certificate_chain: CertificateChain,
    /// Whether the secret is written as Base64. Default false.
    pub secret_base64_encoded: Option<bool>,
    /// Claim `jti`, with expressions; a random UUID if empty.
    pub id: Option<String>,
    /// Claim `aud`, with expressions.
    #[serde(deserialize_with = "null_as_default")]
    #[schemars(with = "Option<Vec<String>>")]
    pub audiences: Vec<String>,
    /// Claim `iss`, with expressions. Default `urn://gravitee-api-gw`.
    pub issuer: Option<String>,
    /// Claim `sub`, with expressions.
    pub subject: Option<String>,
    /// How long the token is good; without an end if 0. Default 30.
    pub expires_in: Option<u32>,
    /// Unit of `expiresIn`. Default `SECONDS`.
    #[serde(deserialize_with = "null_as_default")]
    #[schemars(with = "Option<ExpirationUnit>")]
    pub expires_in_unit: ExpirationUnit,
    /// More claims; one may replace a claim named above.
    #[serde(deserialize_with = "null_as_default")]
    #[schemars(with = "Option<Vec<ClaimConfig>>")]
    pub custom_claims: Vec<ClaimConfig>,
}

impl std::fmt::Debug for GenerateJwtConfig {
    /// Shows neither key nor passwords.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GenerateJwtConfig")
            .field("signature", &self.signature)
            .field("key_resolver", &self.key_resolver)
            .finish_non_exhaustive()
    }
}

/// Where the private key is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum KeyResolver {
    /// In the configuration.
    #[default]
    Inline,
    /// In a PEM file on the edge.
    Pem,
    /// In a Java key store on the edge.
    Jks,
    /// In a PKCS#12 file on the edge.
    Pkcs12,
}

/// Whether certificates are put into the token's header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum CertificateChain {
    /// No.
    #[default]
    None,
    /// As `x5c` (RFC 7515 §4.1.6).
    X5c,
}

/// Unit of the token's lifetime.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum ExpirationUnit {
    /// Seconds.
    #[default]
    Seconds,
    /// Minutes.
    Minutes,
    /// Hours.
    Hours,
    /// Days of 24 hours.
    Days,
}

impl ExpirationUnit {
    pub(super) const fn seconds(self) -> u64 {
        match self {
            Self::Seconds => 1,
            Self::Minutes => 60,
            Self::Hours => 60 * 60,
            Self::Days => 24 * 60 * 60,
        }
    }
}

/// A claim.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClaimConfig {
    /// Name of the claim.
    pub name: String,
    /// Value with expressions; an expression alone keeps its type.
    #[serde(default)]
    pub value: Option<String>,
}
