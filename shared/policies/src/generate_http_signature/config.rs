//! Configuration of `generate-http-signature`.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::configuration::null_as_default;
use crate::http_signature::{Algorithm, SignatureScheme};

/// How the request to the endpoint is signed.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct GenerateHttpSignatureConfig {
    /// Where the signature is written. Default `AUTHORIZATION`.
    #[serde(deserialize_with = "null_as_default")]
    #[schemars(with = "Option<SignatureScheme>")]
    pub scheme: SignatureScheme,
    /// The signature's `keyId`, with expressions.
    #[serde(deserialize_with = "null_as_default")]
    #[schemars(with = "String")]
    pub key_id: String,
    /// Secret that the signature is made with, with expressions.
    #[serde(deserialize_with = "null_as_default")]
    #[schemars(with = "String")]
    pub secret: String,
    /// How the signature is made. Default `HMAC_SHA256`.
    #[serde(deserialize_with = "null_as_default")]
    #[schemars(with = "Option<Algorithm>")]
    pub algorithm: Algorithm,
    /// Headers to sign, in order; the request must have them.
    #[serde(deserialize_with = "null_as_default")]
    #[schemars(with = "Option<Vec<String>>")]
    pub headers: Vec<String>,
    /// Whether the time of signing is signed as `(created)`. Default true.
    pub created: Option<bool>,
    /// Whether the end of the signature is signed as `(expires)`. Default true.
    pub expires: Option<bool>,
    /// Seconds from signing to the end of the signature. Default 3.
    pub validity_duration: Option<u32>,
}
