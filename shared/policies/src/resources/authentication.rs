//! Configurations of directories of users.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use tidegate_model::Secret;

use super::{CallHeader, CallMethod, secret};
use crate::configuration::null_as_default;

/// Users written into the definition.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct InlineUsersConfig {
    /// The users.
    #[serde(deserialize_with = "null_as_default")]
    #[schemars(with = "Option<Vec<InlineUser>>")]
    pub users: Vec<InlineUser>,
}

/// One user.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InlineUser {
    /// Name of the user.
    pub username: String,
    /// Password of the user.
    #[serde(deserialize_with = "secret")]
    #[schemars(with = "String")]
    pub password: Secret<String>,
    /// Roles of the user.
    #[serde(default, deserialize_with = "null_as_default")]
    #[schemars(with = "Option<Vec<String>>")]
    pub roles: Vec<String>,
    /// What else is known of the user.
    #[serde(default, flatten)]
    #[schemars(skip)]
    pub more: BTreeMap<String, serde_json::Value>,
}

/// A service that knows users.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HttpUsersConfig {
    /// Method of the call. Default POST.
    #[serde(default)]
    pub method: Option<CallMethod>,
    /// URL of the service.
    pub url: String,
    /// Headers of the call.
    #[serde(default, deserialize_with = "null_as_default")]
    #[schemars(with = "Option<Vec<CallHeader>>")]
    pub headers: Vec<CallHeader>,
    /// Body of the call, with expressions over `#username` and `#password`.
    #[serde(default)]
    pub body: Option<String>,
    /// Whether the answer means that the user is known. Default `{#authResponse.status == 200}`.
    #[serde(default)]
    pub condition: Option<String>,
}

/// An LDAP directory.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LdapUsersConfig {
    /// URL of the directory: `ldap://` or `ldaps://`.
    pub context_source_url: String,
    /// Where everything below is looked for, such as `dc=example,dc=org`.
    pub context_source_base: String,
    /// Who searches; nobody for an anonymous search.
    #[serde(default)]
    pub context_source_username: Option<String>,
    /// Password of who searches.
    #[serde(default, deserialize_with = "secret")]
    #[schemars(with = "Option<String>")]
    pub context_source_password: Secret<String>,
    /// Finds a user; `{0}` stands for the name. Default `uid={0}`.
    #[serde(default)]
    pub user_search_filter: Option<String>,
    /// Where users are, below the base.
    #[serde(default)]
    pub user_search_base: Option<String>,
    /// Attributes of the user that are passed on.
    #[serde(default, deserialize_with = "null_as_default")]
    #[schemars(with = "Option<Vec<String>>")]
    pub attributes: Vec<String>,
    /// Milliseconds for a connection and for each question. Default 5000.
    #[serde(default)]
    pub connect_timeout: Option<u64>,
}
