//! The listeners: accept, hand over, and drain at the end.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use socket2::{SockRef, TcpKeepalive};
use tidegate_edge_http::access_log::AccessLog;
use tokio::{
    net::{TcpListener, TcpStream},
    runtime::Runtime,
    sync::Semaphore,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    connection::Server,
    live::TcpLive,
    metrics::{Refused, TcpMetrics},
};

/// Pause after a failed accept: the usual cause is a lack of file descriptors, which takes time to pass.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A peer that is silent this long is asked whether it is still there: without idle limits, which are off by
/// default, nothing else would notice that it is gone.
const KEEP_ALIVE_AFTER: Duration = Duration::from_secs(60);

/// How long past the drain deadline the threads may take to end.
const JOIN_SLACK: Duration = Duration::from_secs(2);

/// What clients may cost.
#[derive(Debug, Clone)]
pub struct TcpLimits {
    /// Time for a client's handshake.
    pub handshake_timeout: Duration,
    /// Time to reach an endpoint, all attempts included.
    pub connect_timeout: Duration,
    /// Connections open at a time.
    pub connections_max: usize,
    /// Time connections have to end after their API was undeployed.
    pub retire_grace: Duration,
    /// Time connections have to end at a stop.
    pub drain_timeout: Duration,
}

impl Default for TcpLimits {
    fn default() -> Self {
        Self {
            handshake_timeout: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(30),
            retire_grace: Duration::from_secs(10),
            connections_max: 16 * 1024,
            drain_timeout: Duration::from_secs(30),
        }
    }
}

/// One listener.
#[derive(Debug)]
pub struct TcpListen {
    /// Id that `servers` of TCP listeners may name.
    pub id: String,
    /// Where to listen; port 0 takes a free one.
    pub address: SocketAddr,
    /// The edge's certificates. A stored configuration counts from the next handshake on.
    pub tls: Arc<ArcSwap<ServerConfig>>,
}

/// What the TCP side of an edge is made of.
#[derive(Debug)]
pub struct TcpParts {
    /// Where to listen.
    pub listeners: Vec<TcpListen>,
    /// The active configuration.
    pub live: Arc<TcpLive>,
    /// Where to count.
    pub metrics: TcpMetrics,
    /// Where to write about connections.
    pub access_log: Option<AccessLog>,
    /// Id of the edge, for the log.
    pub edge_id: String,
    /// Limits.
    pub limits: TcpLimits,
    /// Threads that serve connections.
    pub threads: usize,
}

/// Why the TCP side cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address cannot be bound.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The threads cannot be made.
    #[error("cannot start TCP threads")]
    Threads(#[source] io::Error),
}

/// The running TCP side of an edge.
#[derive(Debug)]
pub struct TcpEdge {
    addresses: Vec<(String, SocketAddr)>,
    runtime: Runtime,
    stop: CancellationToken,
    connections: TaskTracker,
    drain_timeout: Duration,
}

impl TcpEdge {
    /// Binds and serves on threads of its own.
    ///
    /// # Errors
    /// The address cannot be bound or the threads cannot be made.
    pub fn start(parts: TcpParts) -> Result<Self, StartError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(parts.threads.max(1))
            .thread_name("tcp")
            .enable_all()
            .build()
            .map_err(StartError::Threads)?;
        let (stop, connections) = (CancellationToken::new(), TaskTracker::new());
        let slots = Arc::new(Semaphore::new(parts.limits.connections_max));
        let edge_id = parts.edge_id.as_str().into();
        let mut addresses = Vec::with_capacity(parts.listeners.len());
        let mut listening = Vec::with_capacity(parts.listeners.len());
        for TcpListen { id, address, tls } in parts.listeners {
            let failed = |source| StartError::Listen { address, source };
            let listener = bind(address, &runtime).map_err(failed)?;
            addresses.push((id.clone(), listener.local_addr().map_err(failed)?));
            let server = Arc::new(Server {
                id: id.into(),
                tls,
                live: Arc::clone(&parts.live),
                metrics: parts.metrics.clone(),
                access_log: parts.access_log.clone(),
                edge_id: Arc::clone(&edge_id),
                handshake_timeout: parts.limits.handshake_timeout,
                connect_timeout: parts.limits.connect_timeout,
                retire_grace: parts.limits.retire_grace,
            });
            listening.push((listener, server));
        }
        for (listener, server) in listening {
            let (stopped, connections) = (stop.clone(), connections.clone());
            let accepting = accept_all(listener, server, Arc::clone(&slots), connections);
            runtime.spawn(async move { stopped.run_until_cancelled(accepting).await });
        }
        Ok(Self {
            addresses,
            runtime,
            stop,
            connections,
            drain_timeout: parts.limits.drain_timeout,
        })
    }

    /// The listeners' ids and where they listen.
    #[must_use]
    pub fn addresses(&self) -> &[(String, SocketAddr)] {
        &self.addresses
    }

    /// Stops taking connections at once, without waiting for open ones.
    pub fn stop(&self) {
        self.stop.cancel();
        self.connections.close();
    }

    /// Stops taking connections and waits until the open ones have ended, at most for the drain timeout;
    /// false if some had not. Blocks.
    #[must_use]
    pub fn drain(self) -> bool {
        self.stop();
        let waiting =
            async { tokio::time::timeout(self.drain_timeout, self.connections.wait()).await };
        let in_time = self.runtime.block_on(waiting).is_ok();
        self.runtime.shutdown_timeout(JOIN_SLACK);
        in_time
    }
}

/// Binds without waiting, so that it works wherever it is called from.
fn bind(address: SocketAddr, runtime: &Runtime) -> io::Result<TcpListener> {
    let listener = std::net::TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    let _entered = runtime.enter();
    TcpListener::from_std(listener)
}

async fn accept_all(
    listener: TcpListener,
    server: Arc<Server>,
    slots: Arc<Semaphore>,
    connections: TaskTracker,
) {
    loop {
        let (stream, remote) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "accept failed");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Ok(slot) = Arc::clone(&slots).try_acquire_owned() else {
            server.metrics.refused(Refused::TooMany);
            continue;
        };
        if stream
            .set_nodelay(true)
            .and_then(|()| keep_alive(&stream))
            .is_err()
        {
            // The client is gone already.
            continue;
        }
        let server = Arc::clone(&server);
        connections.spawn(async move {
            let _slot = slot;
            server.serve(stream, remote).await;
        });
    }
}

/// Has the system ask a silent peer whether it is still there.
pub(crate) fn keep_alive(stream: &TcpStream) -> io::Result<()> {
    let keep_alive = TcpKeepalive::new().with_time(KEEP_ALIVE_AFTER);
    SockRef::from(stream).set_tcp_keepalive(&keep_alive)
}
