//! Configurations of the resources an API may have. Source: `gravitee-v4.md` §1.9.
//!
//! Only the configurations: what a resource does needs connections and lives in the edge. The control
//! plane checks with these types, so a wrong configuration is refused when it is saved.

mod access_management;
mod authentication;
mod cache;
mod content;
mod expressions;
mod oauth2;
mod registry;
#[cfg(test)]
mod tests;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};
use tidegate_model::Secret;

pub use access_management::{AccessManagementConfig, AmVersion, KeycloakConfig, KeycloakRealm};
pub use authentication::{HttpUsersConfig, InlineUser, InlineUsersConfig, LdapUsersConfig};
pub use cache::{CacheConfig, RedisCacheConfig, RedisNode, RedisSentinel, RedisStandalone};
pub use content::{
    HttpContentConfig, InlineContentConfig, RegistryAuthentication, SchemaRegistryConfig,
};
pub use oauth2::{CallMethod, OAuth2ServerConfig};
pub use registry::{RESOURCE_KINDS, ResourceConfig, ResourceKind, find_resource};

/// A header of a call.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CallHeader {
    /// Name of the header.
    pub name: String,
    /// Its value; may have expressions.
    #[serde(default)]
    pub value: String,
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Secret<String>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    Ok(Secret::new(text.unwrap_or_default()))
}
