//! Configuration of `policy-basic-authentication`.

use schemars::JsonSchema;
use serde::Deserialize;

/// Lets only users with a name and a password through.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BasicAuthenticationConfig {
    /// Names of the authentication resources that know the users, asked in this order.
    pub authentication_providers: Vec<String>,
    /// What browsers show when they ask for a password; `gravitee.io` if nothing is said.
    #[serde(default)]
    pub realm: Option<String>,
}
