//! From the resources of a definition to what policies use.

use std::sync::Arc;

use tidegate_expression::Scope;
use tidegate_model::api::Resource as Definition;
use tidegate_policies::resources::{ResourceConfig, find_resource};
use tidegate_policy::{ConfigError, Resource, Resources};

use crate::content::{HttpDocument, InlineDocument};
use crate::http_users::HttpUsers;
use crate::inline_users::InlineUsers;
use crate::ldap::LdapUsers;
use crate::memory::MemoryCache;
use crate::oauth2::OAuth2Server;
use crate::redis_cache::RedisCache;

/// A resource that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {reason}")]
pub struct BuildError {
    /// Place in the definition.
    pub path: String,
    /// What is wrong.
    pub reason: String,
}

/// Makes the enabled resources of the API `api`; `scope` is what expressions in their configurations see.
/// Connections are made when they are first needed.
///
/// # Errors
/// Fails with the first resource whose type is unknown or whose configuration cannot be used.
pub fn build(
    api: &str,
    resources: &[Definition],
    scope: &dyn Scope,
) -> Result<Resources, BuildError> {
    let mut built = Resources::default();
    for (index, definition) in resources.iter().enumerate() {
        if !definition.enabled {
            continue;
        }
        let kind = find_resource(&definition.kind).ok_or_else(|| BuildError {
            path: format!("resources[{index}].type"),
            reason: format!("this edge has no resource '{}'", definition.kind),
        })?;
        let made = kind
            .evaluated(&definition.configuration, scope)
            .and_then(|configuration| (kind.parse)(&configuration))
            .and_then(|config| make(api, &definition.name, &config));
        let resource = made.map_err(|error| BuildError {
            path: format!("resources[{index}].configuration.{}", error.path),
            reason: format!("found {}, expected {}", error.value, error.expected),
        })?;
        built.insert(definition.name.as_str(), resource);
    }
    Ok(built)
}

fn make(api: &str, name: &str, config: &ResourceConfig) -> Result<Resource, ConfigError> {
    Ok(match config {
        ResourceConfig::Cache(config) => Resource::Cache(Arc::new(MemoryCache::new(config))),
        ResourceConfig::RedisCache(config) => {
            Resource::Cache(Arc::new(RedisCache::new(api, name, config)?))
        }
        ResourceConfig::OAuth2(config) => {
            Resource::OAuth2(Arc::new(OAuth2Server::of_server(config)?))
        }
        ResourceConfig::AccessManagement(config) => {
            Resource::OAuth2(Arc::new(OAuth2Server::of_domain(config)?))
        }
        ResourceConfig::Keycloak(config) => {
            Resource::OAuth2(Arc::new(OAuth2Server::of_realm(config)?))
        }
        ResourceConfig::InlineUsers(config) => {
            Resource::Authentication(Arc::new(InlineUsers::new(config)))
        }
        ResourceConfig::HttpUsers(config) => {
            Resource::Authentication(Arc::new(HttpUsers::new(config)?))
        }
        ResourceConfig::LdapUsers(config) => {
            Resource::Authentication(Arc::new(LdapUsers::new(config)))
        }
        ResourceConfig::InlineContent(config) => {
            Resource::Content(Arc::new(InlineDocument::new(config)))
        }
        ResourceConfig::HttpContent(config) => {
            Resource::Content(Arc::new(HttpDocument::new(config)?))
        }
        ResourceConfig::SchemaRegistry(config) => {
            Resource::Content(Arc::new(HttpDocument::of_registry(config)?))
        }
    })
}
