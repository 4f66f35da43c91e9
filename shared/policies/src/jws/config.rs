//! Configuration of `jws`.

use schemars::JsonSchema;
use serde::Deserialize;

/// What of the signer's certificate is checked.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct JwsConfig {
    /// Whether the certificate must be valid now. Default false.
    pub check_certificate_validity: Option<bool>,
    /// Whether the certificate's issuer is asked for revocations; refused at deployment. Default false.
    pub check_certificate_revocation: Option<bool>,
}
