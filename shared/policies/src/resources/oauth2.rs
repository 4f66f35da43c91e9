//! Configuration of an OAuth2 server that speaks HTTP in its own way.

use schemars::JsonSchema;
use serde::Deserialize;
use tidegate_model::Secret;

use super::secret;

/// An OAuth2 server: where it is asked, and how it wants to be asked.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OAuth2ServerConfig {
    /// URL of the server, for endpoints that are paths.
    #[serde(default)]
    pub authorization_server_url: Option<String>,
    /// Path or URL that tells whether a token is good. Default `/oauth/check_token`.
    #[serde(default)]
    pub introspection_endpoint: Option<String>,
    /// Method of that call. Default GET.
    #[serde(default)]
    pub introspection_endpoint_method: Option<CallMethod>,
    /// Path or URL of the claims of a user. Default `/userinfo`.
    #[serde(default)]
    pub user_info_endpoint: Option<String>,
    /// Method of that call. Default GET.
    #[serde(default)]
    pub user_info_endpoint_method: Option<CallMethod>,
    /// Id of the gateway at the server.
    pub client_id: String,
    /// Secret of the gateway at the server.
    #[serde(deserialize_with = "secret")]
    #[schemars(with = "String")]
    pub client_secret: Secret<String>,
    /// Whether id and secret are sent in a header. Default true.
    #[serde(default)]
    pub use_client_authorization_header: Option<bool>,
    /// That header. Default `Authorization`.
    #[serde(default)]
    pub client_authorization_header_name: Option<String>,
    /// What stands before id and secret in it. Default `Basic`.
    #[serde(default)]
    pub client_authorization_header_scheme: Option<String>,
    /// Whether the token is sent in the query. Default true.
    #[serde(default)]
    pub token_is_supplied_by_query_param: Option<bool>,
    /// That query parameter. Default `token`.
    #[serde(default)]
    pub token_query_param_name: Option<String>,
    /// Whether the token is sent in a header. Default false.
    #[serde(default)]
    pub token_is_supplied_by_http_header: Option<bool>,
    /// That header.
    #[serde(default)]
    pub token_header_name: Option<String>,
    /// Whether the token is sent as a form. Default false.
    #[serde(default)]
    pub token_is_supplied_by_form_url_encoded: Option<bool>,
    /// That member of the form. Default `token`.
    #[serde(default)]
    pub token_form_url_encoded_name: Option<String>,
    /// What separates scopes in the answer. Default a blank.
    #[serde(default)]
    pub scope_separator: Option<String>,
    /// Member of the answer that names the user. Default `sub`.
    #[serde(default)]
    pub user_claim: Option<String>,
    /// Whether the server is called through the proxy of the node. Default false.
    #[serde(default)]
    pub use_system_proxy: Option<bool>,
}

/// Method of a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum CallMethod {
    /// GET.
    #[default]
    Get,
    /// POST.
    Post,
    /// PUT.
    Put,
}
