//! Configuration of `http-signature`.

use schemars::JsonSchema;
use serde::Deserialize;

use super::signing::{Algorithm, SignatureScheme};
use crate::configuration::null_as_default;

/// Which signatures of requests are accepted.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct HttpSignatureConfig {
    /// Where the signature is. Default `AUTHORIZATION`.
    #[serde(deserialize_with = "null_as_default")]
    #[schemars(with = "Option<SignatureScheme>")]
    pub scheme: SignatureScheme,
    /// Secret that signatures are made with; may have expressions, which see `#keyId`.
    #[serde(deserialize_with = "null_as_default")]
    #[schemars(with = "String")]
    pub secret: String,
    /// Accepted algorithms; all if empty.
    #[serde(deserialize_with = "null_as_default")]
    #[schemars(with = "Option<Vec<Algorithm>>")]
    pub algorithms: Vec<Algorithm>,
    /// Headers that must be signed.
    #[serde(deserialize_with = "null_as_default")]
    #[schemars(with = "Option<Vec<String>>")]
    pub enforce_headers: Vec<String>,
    /// Seconds by which the signer's clock may be ahead. Default 30.
    pub clock_skew: Option<u32>,
    /// Whether the signature is URL-decoded before it is compared. Default false.
    pub decode_signature: Option<bool>,
    /// Whether text values must stand in quotes. Default true.
    pub strict_mode: Option<bool>,
}
