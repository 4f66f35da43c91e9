//! Configuration of `policy-openid-userinfo`.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::configuration::null_as_default;

/// Who is asked about the user of a token.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct OpenidUserinfoConfig {
    /// Name of the OAuth2 resource, with expressions.
    #[serde(deserialize_with = "null_as_default")]
    #[schemars(with = "String")]
    pub oauth_resource: String,
    /// Whether the answer is put into the attribute `openid.userinfo.payload`. Default false.
    pub extract_payload: Option<bool>,
}
