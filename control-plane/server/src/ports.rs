//! The two ports of a node: bound early, so that their numbers are known, served when all is ready.

use std::{future::Future, io, net::SocketAddr, path::Path, time::Duration};

use serde::Serialize;
use tokio::net::TcpListener;
use tonic::transport::{Server, ServerTlsConfig, server::TcpIncoming};

use crate::{
    config::Config,
    private_file::{self, FileError},
};

/// Interval of HTTP/2 pings on idle connections; a dead peer is noticed within this plus the next.
const PING_INTERVAL: Duration = Duration::from_secs(20);
/// Time a peer has to answer a ping.
const PING_TIMEOUT: Duration = Duration::from_secs(5);
/// Streams of one connection; an edge or an operator needs a handful, a peer somewhat more.
const STREAMS_PER_CONNECTION_MAX: u32 = 256;
/// Bytes of all headers of one call.
const HEADER_BYTES_MAX: u32 = 16 * 1024;

/// Why a port cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address} ({port})")]
pub(crate) struct BindError {
    port: &'static str,
    address: SocketAddr,
    #[source]
    source: io::Error,
}

/// Both listeners with the addresses they got.
#[derive(Debug)]
pub(crate) struct Ports {
    pub grpc: TcpListener,
    pub raft: TcpListener,
    pub addresses: Addresses,
}

/// Where this node listens.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Addresses {
    pub id: u64,
    pub grpc: SocketAddr,
    pub raft: SocketAddr,
}

impl Ports {
    /// Binds both ports; connections wait in the backlog until they are served.
    pub(crate) async fn bind(config: &Config) -> Result<Self, BindError> {
        let (grpc, grpc_address) = bind("grpc", config.grpc).await?;
        let (raft, raft_address) = bind("raft", config.raft).await?;
        let addresses = Addresses {
            id: config.placement.node_id,
            grpc: grpc_address,
            raft: raft_address,
        };
        Ok(Self {
            grpc,
            raft,
            addresses,
        })
    }
}

async fn bind(
    port: &'static str,
    address: SocketAddr,
) -> Result<(TcpListener, SocketAddr), BindError> {
    let failed = |source| BindError {
        port,
        address,
        source,
    };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}

impl Addresses {
    /// Writes `endpoints.json`, from which scripts learn the chosen ports.
    pub(crate) fn write(&self, data_dir: &Path) -> Result<(), FileError> {
        let json = serde_json::json!({
            "id": self.id, "grpc": self.grpc.to_string(), "raft": self.raft.to_string(),
        });
        private_file::write(
            &data_dir.join("endpoints.json"),
            format!("{json}\n").as_bytes(),
        )
    }
}

/// A server with the limits both ports share.
pub(crate) fn server(tls: ServerTlsConfig) -> Result<Server, tonic::transport::Error> {
    Ok(Server::builder()
        .tls_config(tls)?
        .http2_keepalive_interval(Some(PING_INTERVAL))
        .http2_keepalive_timeout(Some(PING_TIMEOUT))
        .max_concurrent_streams(Some(STREAMS_PER_CONNECTION_MAX))
        .http2_max_header_list_size(Some(HEADER_BYTES_MAX)))
}

/// The connections of a listener, without Nagle's delay.
pub(crate) fn incoming(listener: TcpListener) -> TcpIncoming {
    TcpIncoming::from(listener).with_nodelay(Some(true))
}

/// Resolves on SIGTERM or SIGINT.
pub(crate) fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
