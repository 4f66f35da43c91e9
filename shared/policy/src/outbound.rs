//! Calls that policies and resources make to other systems.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use thiserror::Error;

use crate::kind::BoxFuture;

/// Calls other systems over HTTP and keeps connections to them.
pub trait HttpClient: fmt::Debug {
    /// Sends a request and reads the whole response.
    ///
    /// # Errors
    /// Fails if no complete response came within the call's limits. A status is never an error.
    fn send(&self, call: OutboundCall) -> BoxFuture<'_, Result<http::Response<Bytes>, CallError>>;
}

/// Finds addresses of host names.
pub trait NameResolver: fmt::Debug {
    /// Returns the addresses of `host`, which may be an address itself; never an empty list.
    ///
    /// # Errors
    /// Fails if the name has no address or the lookup timed out.
    fn resolve<'a>(&'a self, host: &'a str) -> BoxFuture<'a, Result<Vec<IpAddr>, CallError>>;
}

/// One call.
#[derive(Clone, Debug)]
pub struct OutboundCall {
    /// The request; its URI is absolute.
    pub request: http::Request<Bytes>,
    /// How to send it.
    pub options: Arc<CallOptions>,
}

/// How a call is sent. Compiled with the configuration: calls with equal options share connections.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CallOptions {
    /// Time for name lookup, connection and handshake.
    pub connect_timeout: Duration,
    /// Time for the whole call.
    pub timeout: Duration,
    /// Longest response body in bytes.
    pub response_bytes_max: u64,
    /// How many redirects are followed.
    pub redirects_max: u8,
    /// Whether the node's outbound proxy is used.
    pub use_system_proxy: bool,
    /// Whether a TLS peer must prove its name; leave it on.
    pub verify_peer: bool,
    /// PEM certificates trusted besides the system's.
    pub trusted_certificates: Option<Arc<str>>,
}

impl Default for CallOptions {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(2),
            timeout: Duration::from_secs(5),
            response_bytes_max: 2 * 1024 * 1024,
            redirects_max: 0,
            use_system_proxy: false,
            verify_peer: true,
            trusted_certificates: None,
        }
    }
}

/// Why a call brought no response.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CallError {
    /// The URL is not absolute, or its scheme is not http or https.
    #[error("invalid URL: {0}")]
    InvalidUrl(String),
    /// This node does not make such calls.
    #[error("refused: {0}")]
    Refused(String),
    /// The name has no address.
    #[error("no address for {0}")]
    UnknownHost(String),
    /// No connection.
    #[error("cannot connect: {0}")]
    Connect(String),
    /// The time of the call was over.
    #[error("no complete response in time")]
    Timeout,
    /// The response was longer than allowed.
    #[error("the response is longer than {bytes_max} bytes")]
    TooLarge {
        /// The limit in bytes.
        bytes_max: u64,
    },
    /// The connection broke or spoke something else.
    #[error("broken response: {0}")]
    Broken(String),
}
