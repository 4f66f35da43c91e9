//! Configurations of caches.

use schemars::JsonSchema;
use serde::Deserialize;
use tidegate_model::Secret;

use super::secret;

/// A cache in the memory of an edge.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct CacheConfig {
    /// Seconds without a read after which a value is forgotten; 0 for never.
    pub time_to_idle_seconds: Option<u64>,
    /// Seconds after which a value is forgotten; 0 for never.
    pub time_to_live_seconds: Option<u64>,
    /// Most values kept. Default 1000.
    pub max_entries_local_heap: Option<u64>,
}

/// A cache in Redis.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct RedisCacheConfig {
    /// One server.
    pub standalone: Option<RedisStandalone>,
    /// Servers that sentinels watch.
    pub sentinel: Option<RedisSentinel>,
    /// Password of the servers.
    #[serde(deserialize_with = "secret")]
    #[schemars(with = "Option<String>")]
    pub password: Secret<String>,
    /// Milliseconds for a connection and for a command. Default 2000.
    pub timeout: Option<u64>,
    /// Seconds after which a value is forgotten; 0 for never.
    pub time_to_live_seconds: Option<u64>,
    /// Whether connections are encrypted. Default true.
    pub use_ssl: Option<bool>,
    /// Accepted for old definitions: one connection carries all commands.
    pub max_total: Option<i64>,
    /// Accepted for old definitions: values end with their time to live.
    pub release_cache: Option<bool>,
}

/// One Redis server.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct RedisStandalone {
    /// Whether this server is used. Default true, if no sentinels are.
    pub enabled: Option<bool>,
    /// Host. Default `localhost`.
    pub host: Option<String>,
    /// Port. Default 6379.
    pub port: Option<u16>,
}

/// Redis servers behind sentinels.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct RedisSentinel {
    /// Whether the sentinels are used. Default false.
    pub enabled: Option<bool>,
    /// Name of the group of servers.
    pub master_id: Option<String>,
    /// The sentinels.
    pub nodes: Option<Vec<RedisNode>>,
}

/// One sentinel.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RedisNode {
    /// Host.
    pub host: String,
    /// Port.
    pub port: u16,
}
