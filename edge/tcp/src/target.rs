//! An endpoint of a TCP API, and connecting to it.

use std::{io, sync::Arc, time::Duration};

use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tidegate_edge_http::{
    compile::NodeFacts,
    endpoint::{BuildError, proxy_options, tls_options},
    upstream::{ProxyError, ProxyOptions, TlsError, plain_client_config, tunnel},
};
use tidegate_model::api::TcpEndpointConfiguration;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::{
    listen::keep_alive,
    pipe::{IdleLimits, Stream},
};

/// An endpoint as connections use it.
#[derive(Debug)]
pub struct Target {
    pub(crate) name: Box<str>,
    host: String,
    port: u16,
    tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
    proxy: Option<ProxyOptions>,
    connect_timeout: Duration,
    retries: u32,
    interval: Duration,
    pub(crate) idle: IdleLimits,
}

/// An endpoint that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// The host is an expression or no name that a certificate can hold.
    #[error("expected the name or address of a host")]
    Host,
    /// A store of certificates or a proxy cannot be used.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The TLS material cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

impl TargetError {
    /// Place in the definition, of an endpoint at `endpoint`.
    pub(crate) fn path(&self, endpoint: &str) -> String {
        match self {
            TargetError::Host => format!("{endpoint}.configuration.target.host"),
            TargetError::Build(error) => error.path().to_owned(),
            TargetError::Tls(_) => format!("{endpoint}.ssl"),
        }
    }
}

/// Why an endpoint was not reached.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectError {
    #[error("no connection in time")]
    Timeout,
    #[error("no connection")]
    Io(#[from] io::Error),
    #[error("no connection through the proxy")]
    Proxy(#[from] ProxyError),
}

impl Target {
    /// Compiles the configuration of the endpoint `name` at `path`, files included.
    ///
    /// # Errors
    /// [`TargetError`] says what cannot be used.
    pub fn compile(
        name: &str,
        configuration: &TcpEndpointConfiguration,
        node: &NodeFacts,
        path: &str,
    ) -> Result<Self, TargetError> {
        let host = configuration.host.trim();
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let server = ServerName::try_from(host.to_owned()).map_err(|_invalid| TargetError::Host)?;
        let tls = if configuration.secured {
            let options = tls_options(&configuration.ssl, path)?;
            Some((plain_client_config(&options)?, server))
        } else {
            None
        };
        let limit = |millis: u32| (millis > 0).then(|| Duration::from_millis(millis.into()));
        Ok(Self {
            name: name.into(),
            host: host.to_owned(),
            port: configuration.port,
            tls,
            proxy: proxy_options(&configuration.proxy, node, path)?,
            connect_timeout: Duration::from_millis(configuration.connect_timeout_ms.into()),
            retries: configuration.reconnect_attempts,
            interval: Duration::from_millis(configuration.reconnect_interval_ms.into()),
            idle: IdleLimits {
                both: limit(configuration.idle_timeout_ms),
                from_endpoint: limit(configuration.read_idle_timeout_ms),
                to_endpoint: limit(configuration.write_idle_timeout_ms),
            },
        })
    }

    /// How often it is tried again after a failure.
    pub(crate) fn retries(&self) -> u32 {
        self.retries
    }

    /// The wait before it is tried again.
    pub(crate) fn interval(&self) -> Duration {
        self.interval
    }

    /// Host and port, for records.
    pub(crate) fn address(&self) -> String {
        let scheme = if self.tls.is_some() { "tls" } else { "tcp" };
        if self.host.contains(':') {
            format!("{scheme}://[{}]:{}", self.host, self.port)
        } else {
            format!("{scheme}://{}:{}", self.host, self.port)
        }
    }

    /// Connects once, TLS included, within the connect timeout.
    pub(crate) async fn connect(&self) -> Result<Box<dyn Stream>, ConnectError> {
        let connected = tokio::time::timeout(self.connect_timeout, self.connect_untimed()).await;
        connected.unwrap_or(Err(ConnectError::Timeout))
    }

    async fn connect_untimed(&self) -> Result<Box<dyn Stream>, ConnectError> {
        let (host, port) = (self.host.as_str(), self.port);
        let stream = match &self.proxy {
            None => TcpStream::connect((host, port)).await?,
            Some(proxy) => {
                let stream = TcpStream::connect((proxy.host.as_str(), proxy.port)).await?;
                tunnel(stream, proxy, host, port).await?
            }
        };
        stream.set_nodelay(true)?;
        keep_alive(&stream)?;
        match &self.tls {
            None => Ok(Box::new(stream)),
            Some((config, name)) => {
                let connector = TlsConnector::from(Arc::clone(config));
                Ok(Box::new(connector.connect(name.clone(), stream).await?))
            }
        }
    }
}
