//! Configuration of `policy-wssecurity-authentication`.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::configuration::null_as_default;

/// Who knows the users of SOAP messages.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct WssecurityAuthenticationConfig {
    /// Names of authentication resources; the first that knows the user decides.
    #[serde(deserialize_with = "null_as_default")]
    #[schemars(with = "Vec<String>")]
    pub authentication_providers: Vec<String>,
}
