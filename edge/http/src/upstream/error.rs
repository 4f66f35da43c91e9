//! Why a request got no response from an upstream.

use crate::body::BodyError;
use crate::h1::HeadError;

/// A request that got no response. What a client sees of it is decided elsewhere.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    /// The name did not resolve to an address.
    #[error("cannot resolve the upstream's name")]
    Resolve(#[source] std::io::Error),
    /// The name leads only to addresses that this target may not call.
    #[error("this edge does not call {0}")]
    Forbidden(std::net::IpAddr),
    /// No address accepted a connection.
    #[error("cannot connect to the upstream")]
    Connect(#[source] std::io::Error),
    /// The proxy in between made no connection.
    #[error("the proxy did not connect to the upstream")]
    Proxy(#[from] super::ProxyError),
    /// The TLS handshake failed, or the certificate was not accepted.
    #[error("TLS handshake with the upstream failed")]
    Tls(#[source] std::io::Error),
    /// Nothing came in time.
    #[error("the upstream timed out ({0})")]
    Timeout(TimeoutPhase),
    /// Every connection is busy and none became free in time.
    #[error("all {connections_max} connections to the upstream are busy")]
    PoolExhausted {
        /// The limit of this worker's pool.
        connections_max: usize,
    },
    /// The connection failed before the response head.
    #[error("connection to the upstream failed")]
    Io(#[source] std::io::Error),
    /// The upstream closed the connection instead of answering.
    #[error("the upstream closed the connection without a response")]
    Closed,
    /// The response breaks the protocol.
    #[error("malformed response")]
    Protocol(#[source] HeadError),
    /// An HTTP/2 error.
    #[error("HTTP/2 exchange with the upstream failed")]
    Http2(#[source] hyper::Error),
    /// The request cannot be written: a method, target or length that the protocol cannot carry.
    #[error("the request cannot be expressed: {0}")]
    Request(&'static str),
    /// The client's request body failed while it was being forwarded.
    #[error("the request body failed")]
    RequestBody(#[source] BodyError),
}

/// What was being waited for when time ran out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeoutPhase {
    /// Name lookup, TCP connection or TLS handshake.
    Connect,
    /// The response head.
    Read,
}

impl std::fmt::Display for TimeoutPhase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            TimeoutPhase::Connect => "connecting",
            TimeoutPhase::Read => "waiting for the response",
        })
    }
}

impl UpstreamError {
    /// Whether time ran out (a gateway answers 504), as opposed to a failure (502).
    pub fn is_timeout(&self) -> bool {
        matches!(self, UpstreamError::Timeout(_))
    }
}
