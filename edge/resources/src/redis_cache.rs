//! `cache-redis`: values in Redis, shared by all edges.
//!
//! One multiplexed connection carries the commands of all workers; it is made when it is first needed and
//! made anew after it broke.

use std::fmt;
use std::future::Future;
use std::time::Duration;

use bytes::Bytes;
use redis::aio::MultiplexedConnection;
use redis::sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType};
use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, IntoConnectionInfo as _, RedisError, TlsMode,
};
use tidegate_policies::resources::{RedisCacheConfig, RedisSentinel};
use tidegate_policy::{BoxFuture, Cache, ConfigError, ResourceError, Services};
use tokio::sync::Mutex;

const DEFAULT_HOST: &str = "localhost";
const DEFAULT_PORT: u16 = 6379;
const DEFAULT_TIMEOUT_MS: u64 = 2000;

/// Longest timeout that can be configured.
const TIMEOUT_MS_MAX: u64 = 60_000;

/// One cache.
pub(crate) struct RedisCache {
    servers: Servers,
    connection: Mutex<Option<MultiplexedConnection>>,
    timeout: Duration,
    life: Option<Duration>,
    /// Beginning of every key: caches of other APIs may live in the same Redis.
    prefix: String,
}

enum Servers {
    One(Client),
    Watched(Mutex<SentinelClient>),
}

impl RedisCache {
    pub(crate) fn new(
        api: &str,
        name: &str,
        config: &RedisCacheConfig,
    ) -> Result<Self, ConfigError> {
        let timeout = config.timeout.unwrap_or(DEFAULT_TIMEOUT_MS);
        let life = config.time_to_live_seconds.filter(|seconds| *seconds > 0);
        let sentinel = config.sentinel.as_ref();
        let sentinel = sentinel.filter(|sentinel| sentinel.enabled == Some(true));
        let servers = match sentinel {
            Some(sentinel) => {
                watched(sentinel, config).map(|client| Servers::Watched(Mutex::new(client)))
            }
            None => one(config).map(Servers::One),
        };
        Ok(Self {
            servers: servers.map_err(|error| {
                // The library's text may name what was configured, a password included.
                let kind = format!("{:?}", error.kind());
                ConfigError::new("", kind, "the address of a Redis server")
            })?,
            connection: Mutex::new(None),
            timeout: Duration::from_millis(timeout.clamp(1, TIMEOUT_MS_MAX)),
            life: life.map(Duration::from_secs),
            prefix: format!("tidegate:{api}:{name}:"),
        })
    }

    async fn connection(&self) -> Result<MultiplexedConnection, ResourceError> {
        let mut known = self.connection.lock().await;
        if let Some(connection) = &*known {
            return Ok(connection.clone());
        }
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.timeout))
            .set_response_timeout(Some(self.timeout));
        let made = self
            .in_time(async {
                match &self.servers {
                    Servers::One(client) => {
                        client
                            .get_multiplexed_async_connection_with_config(&config)
                            .await
                    }
                    Servers::Watched(client) => {
                        let mut client = client.lock().await;
                        client.get_async_connection_with_config(&config).await
                    }
                }
            })
            .await?;
        *known = Some(made.clone());
        Ok(made)
    }

    async fn in_time<T>(
        &self,
        asked: impl Future<Output = Result<T, RedisError>>,
    ) -> Result<T, ResourceError> {
        match tokio::time::timeout(self.timeout, asked).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(ResourceError::Unavailable(format!("{:?}", error.kind()))),
            Err(_elapsed) => Err(ResourceError::Unavailable("no answer in time".to_owned())),
        }
    }

    async fn run<T: redis::FromRedisValue>(
        &self,
        command: &redis::Cmd,
    ) -> Result<T, ResourceError> {
        let mut connection = self.connection().await?;
        let answer = self.in_time(command.query_async(&mut connection)).await;
        if answer.is_err() {
            // Whatever is wrong with it, the next command gets a new one.
            *self.connection.lock().await = None;
        }
        answer
    }

    fn key(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }
}

impl fmt::Debug for RedisCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisCache")
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}

fn one(config: &RedisCacheConfig) -> Result<Client, RedisError> {
    let server = config.standalone.clone().unwrap_or_default();
    let host = server.host.unwrap_or_else(|| DEFAULT_HOST.to_owned());
    let address = address(host, server.port.unwrap_or(DEFAULT_PORT), config);
    let info = address.into_connection_info()?;
    let settings = match password(config) {
        Some(password) => info.redis_settings().clone().set_password(password),
        None => info.redis_settings().clone(),
    };
    Client::open(info.set_redis_settings(settings))
}

fn watched(
    sentinel: &RedisSentinel,
    config: &RedisCacheConfig,
) -> Result<SentinelClient, RedisError> {
    let nodes = sentinel.nodes.clone().unwrap_or_default();
    let nodes = nodes
        .into_iter()
        .map(|node| address(node.host, node.port, config));
    let group = sentinel.master_id.as_deref().unwrap_or_default();
    let mut builder = SentinelClientBuilder::new(nodes, group, SentinelServerType::Master)?;
    if is_encrypted(config) {
        builder = builder
            .set_client_to_redis_tls_mode(TlsMode::Secure)
            .set_client_to_sentinel_tls_mode(TlsMode::Secure);
    }
    if let Some(password) = password(config) {
        builder = builder.set_client_to_redis_password(password);
    }
    builder.build()
}

fn address(host: String, port: u16, config: &RedisCacheConfig) -> ConnectionAddr {
    if is_encrypted(config) {
        ConnectionAddr::TcpTls {
            host,
            port,
            insecure: false,
            tls_params: None,
        }
    } else {
        ConnectionAddr::Tcp(host, port)
    }
}

fn is_encrypted(config: &RedisCacheConfig) -> bool {
    config.use_ssl != Some(false)
}

fn password(config: &RedisCacheConfig) -> Option<&str> {
    Some(config.password.expose().as_str()).filter(|password| !password.is_empty())
}

impl Cache for RedisCache {
    fn get<'a>(
        &'a self,
        key: &'a str,
        _services: &'a Services,
    ) -> BoxFuture<'a, Result<Option<Bytes>, ResourceError>> {
        Box::pin(async move {
            let mut command = redis::cmd("GET");
            command.arg(self.key(key));
            let found: Option<Vec<u8>> = self.run(&command).await?;
            Ok(found.map(Bytes::from))
        })
    }

    fn put<'a>(
        &'a self,
        key: &'a str,
        value: Bytes,
        time_to_live: Option<Duration>,
        _services: &'a Services,
    ) -> BoxFuture<'a, Result<(), ResourceError>> {
        Box::pin(async move {
            let life = match (time_to_live, self.life) {
                (Some(wanted), Some(configured)) => Some(wanted.min(configured)),
                (wanted, configured) => wanted.or(configured),
            };
            let mut command = redis::cmd("SET");
            command.arg(self.key(key)).arg(&value[..]);
            if let Some(life) = life {
                let millis = u64::try_from(life.as_millis()).unwrap_or(u64::MAX);
                // Redis takes whole milliseconds, at least one, within its own clock.
                command
                    .arg("PX")
                    .arg(millis.clamp(1, u64::from(u32::MAX) * 1000));
            }
            self.run(&command).await
        })
    }

    fn evict<'a>(
        &'a self,
        key: &'a str,
        _services: &'a Services,
    ) -> BoxFuture<'a, Result<(), ResourceError>> {
        Box::pin(async move {
            let mut command = redis::cmd("DEL");
            command.arg(self.key(key));
            self.run(&command).await
        })
    }
}
