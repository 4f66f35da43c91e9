//! The kinds of resources of this release.

use http::Uri;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tidegate_policy::ConfigError;

use super::{
    AccessManagementConfig, CacheConfig, HttpContentConfig, HttpUsersConfig, InlineContentConfig,
    InlineUsersConfig, KeycloakConfig, LdapUsersConfig, OAuth2ServerConfig, RedisCacheConfig,
    SchemaRegistryConfig,
};
use crate::configuration::normalized;

/// A configuration of a resource that has been read.
#[derive(Clone, Debug)]
pub enum ResourceConfig {
    /// `cache`.
    Cache(CacheConfig),
    /// `cache-redis`.
    RedisCache(RedisCacheConfig),
    /// `oauth2`.
    OAuth2(Box<OAuth2ServerConfig>),
    /// `oauth2-am-resource`.
    AccessManagement(AccessManagementConfig),
    /// `oauth2-keycloak-resource`.
    Keycloak(KeycloakConfig),
    /// `auth-provider-inline-resource`.
    InlineUsers(InlineUsersConfig),
    /// `auth-provider-http-resource`.
    HttpUsers(HttpUsersConfig),
    /// `auth-provider-ldap-resource`.
    LdapUsers(LdapUsersConfig),
    /// `content-provider-inline-resource`.
    InlineContent(InlineContentConfig),
    /// `content-provider-http-resource`.
    HttpContent(HttpContentConfig),
    /// `schema-registry-confluent`.
    SchemaRegistry(SchemaRegistryConfig),
}

/// A kind of resource.
#[derive(Clone, Copy, Debug)]
pub struct ResourceKind {
    /// The `type` of a resource.
    pub name: &'static str,
    /// JSON Schema of the configuration (draft 2020-12).
    pub schema: fn() -> Value,
    /// Reads a configuration.
    pub parse: fn(&Value) -> Result<ResourceConfig, ConfigError>,
    /// Members that are not evaluated at deployment: the resource does it for each call, or they are content.
    pub late: &'static [&'static str],
}

/// All kinds of resources.
pub const RESOURCE_KINDS: &[ResourceKind] = &[
    ResourceKind {
        name: "cache",
        schema: schema::<CacheConfig>,
        parse: |value| parse(value).map(ResourceConfig::Cache),
        late: &[],
    },
    ResourceKind {
        name: "cache-redis",
        schema: schema::<RedisCacheConfig>,
        parse: |value| redis(value).map(ResourceConfig::RedisCache),
        late: &[],
    },
    ResourceKind {
        name: "oauth2",
        schema: schema::<OAuth2ServerConfig>,
        parse: |value| server(value).map(|config| ResourceConfig::OAuth2(Box::new(config))),
        late: &[],
    },
    ResourceKind {
        name: "oauth2-am-resource",
        schema: schema::<AccessManagementConfig>,
        parse: |value| {
            let config: AccessManagementConfig = parse(value)?;
            absolute("serverURL", &config.server_url)?;
            Ok(ResourceConfig::AccessManagement(config))
        },
        late: &[],
    },
    ResourceKind {
        name: "oauth2-keycloak-resource",
        schema: schema::<KeycloakConfig>,
        parse: |value| keycloak(value).map(ResourceConfig::Keycloak),
        late: &[],
    },
    ResourceKind {
        name: "auth-provider-inline-resource",
        schema: schema::<InlineUsersConfig>,
        parse: |value| parse(value).map(ResourceConfig::InlineUsers),
        late: &[],
    },
    ResourceKind {
        name: "auth-provider-http-resource",
        schema: schema::<HttpUsersConfig>,
        parse: |value| http_users(value).map(ResourceConfig::HttpUsers),
        late: &["headers", "body", "condition"],
    },
    ResourceKind {
        name: "auth-provider-ldap-resource",
        schema: schema::<LdapUsersConfig>,
        parse: |value| ldap(value).map(ResourceConfig::LdapUsers),
        late: &[],
    },
    ResourceKind {
        name: "content-provider-inline-resource",
        schema: schema::<InlineContentConfig>,
        parse: |value| parse(value).map(ResourceConfig::InlineContent),
        late: &["content"],
    },
    ResourceKind {
        name: "content-provider-http-resource",
        schema: schema::<HttpContentConfig>,
        parse: |value| {
            let config: HttpContentConfig = parse(value)?;
            absolute("url", &config.url)?;
            Ok(ResourceConfig::HttpContent(config))
        },
        late: &[],
    },
    ResourceKind {
        name: "schema-registry-confluent",
        schema: schema::<SchemaRegistryConfig>,
        parse: |value| {
            let config: SchemaRegistryConfig = parse(value)?;
            absolute("registryUrl", &config.registry_url)?;
            Ok(ResourceConfig::SchemaRegistry(config))
        },
        late: &[],
    },
];

/// Finds a kind of resource by its `type`.
#[must_use]
pub fn find_resource(name: &str) -> Option<&'static ResourceKind> {
    RESOURCE_KINDS.iter().find(|kind| kind.name == name)
}

fn schema<C: JsonSchema>() -> Value {
    schemars::schema_for!(C).to_value()
}

fn parse<C: DeserializeOwned>(configuration: &Value) -> Result<C, ConfigError> {
    let configuration =
        normalized(configuration).map_err(|reason| ConfigError::new("", reason, "an object"))?;
    serde_path_to_error::deserialize(&*configuration).map_err(|error| {
        let path = match error.path().to_string() {
            path if path == "." => String::new(),
            path => path,
        };
        ConfigError::new(path, "a value of the wrong form", error.inner().to_string())
    })
}

fn absolute(path: &str, url: &str) -> Result<(), ConfigError> {
    let parsed: Option<Uri> = url.trim().parse().ok();
    let is_good = parsed.is_some_and(|url| {
        matches!(url.scheme_str(), Some("http" | "https")) && url.host().is_some()
    });
    if is_good {
        Ok(())
    } else {
        Err(ConfigError::new(
            path,
            format!("{url:?}"),
            "an absolute URL with http or https",
        ))
    }
}

fn server(configuration: &Value) -> Result<OAuth2ServerConfig, ConfigError> {
    let config: OAuth2ServerConfig = parse(configuration)?;
    let base = config.authorization_server_url.as_deref().unwrap_or("");
    let is_url = |endpoint: &Option<String>| {
        endpoint
            .as_deref()
            .is_some_and(|endpoint| absolute("", endpoint).is_ok())
    };
    if !(is_url(&config.introspection_endpoint) && base.is_empty()) {
        absolute("authorizationServerUrl", base)?;
    }
    Ok(config)
}

fn redis(configuration: &Value) -> Result<RedisCacheConfig, ConfigError> {
    let config: RedisCacheConfig = parse(configuration)?;
    let sentinel = config.sentinel.as_ref();
    if let Some(sentinel) = sentinel.filter(|sentinel| sentinel.enabled == Some(true)) {
        if sentinel.nodes.as_ref().is_none_or(Vec::is_empty) {
            return Err(ConfigError::new(
                "sentinel.nodes",
                "none",
                "at least one sentinel",
            ));
        }
        if sentinel
            .master_id
            .as_deref()
            .unwrap_or("")
            .trim()
            .is_empty()
        {
            let expected = "the name of the group";
            return Err(ConfigError::new("sentinel.masterId", "nothing", expected));
        }
    }
    Ok(config)
}

fn keycloak(configuration: &Value) -> Result<KeycloakConfig, ConfigError> {
    let config: KeycloakConfig = parse(configuration)?;
    let path = "keycloakConfiguration";
    let Some(realm) = config.realm() else {
        let expected = "the JSON that Keycloak exports, with realm, auth-server-url and resource";
        return Err(ConfigError::new(path, "something else", expected));
    };
    absolute(path, &realm.auth_server_url)?;
    Ok(config)
}

fn http_users(configuration: &Value) -> Result<HttpUsersConfig, ConfigError> {
    let config: HttpUsersConfig = parse(configuration)?;
    absolute("url", &config.url)?;
    for (index, header) in config.headers.iter().enumerate() {
        ConfigError::template(format!("headers[{index}].value"), &header.value)?;
    }
    if let Some(body) = &config.body {
        ConfigError::template("body", body)?;
    }
    if let Some(condition) = &config.condition {
        ConfigError::condition("condition", condition)?;
    }
    Ok(config)
}

fn ldap(configuration: &Value) -> Result<LdapUsersConfig, ConfigError> {
    let config: LdapUsersConfig = parse(configuration)?;
    let url = config.context_source_url.trim();
    if !(url.starts_with("ldap://") || url.starts_with("ldaps://")) {
        let expected = "a URL with ldap or ldaps";
        return Err(ConfigError::new(
            "contextSourceUrl",
            format!("{url:?}"),
            expected,
        ));
    }
    Ok(config)
}
