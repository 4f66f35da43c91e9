//! Sockets and threads: every worker has its own thread, runtime and listeners on the same addresses.
//!
//! The kernel spreads connections over the workers (`SO_REUSEPORT`); nothing is handed from thread to thread.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use socket2::{Domain, Protocol, Socket, Type};
use tokio_util::sync::CancellationToken;

use crate::server::{Handler, Limits, Listeners, run};

/// Connections the kernel may hold for a worker that is busy.
const BACKLOG: i32 = 4096;

/// Threads of a worker for name lookups, the only blocking calls.
const BLOCKING_THREADS_MAX: usize = 4;

/// How long past the drain deadline a thread may take to end.
const JOIN_SLACK: Duration = Duration::from_secs(2);

/// How often `Workers::drain` looks whether the threads have ended.
const JOIN_POLL: Duration = Duration::from_millis(10);

/// Where to listen. Port 0 takes a free port, the same for all workers.
#[derive(Clone, Debug, Default)]
pub struct Binds {
    /// Clear text.
    pub http: Option<SocketAddr>,
    /// TLS. A stored configuration counts from the next handshake on.
    pub https: Option<(SocketAddr, Arc<ArcSwap<ServerConfig>>)>,
}

/// Where the workers listen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BoundAddresses {
    /// Clear text.
    pub http: Option<SocketAddr>,
    /// TLS.
    pub https: Option<SocketAddr>,
}

/// Why the workers could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address cannot be bound.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// A thread or its runtime cannot be made.
    #[error("cannot start a worker thread")]
    Thread(#[source] io::Error),
}

/// Running workers.
#[derive(Debug)]
pub struct Workers {
    addresses: BoundAddresses,
    threads: Vec<JoinHandle<()>>,
    drain: CancellationToken,
    drain_timeout: Duration,
}

impl Workers {
    /// Where they listen.
    pub fn addresses(&self) -> BoundAddresses {
        self.addresses
    }

    /// Blocks until every worker has ended, which is after the drain token was cancelled.
    pub fn join(self) {
        for thread in self.threads {
            if thread.join().is_err() {
                tracing::error!("a worker thread panicked");
            }
        }
    }

    /// Drains: no new connections, exchanges in flight finish, at most for the drain timeout. Blocks; returns whether
    /// every worker ended in time.
    pub fn drain(self) -> bool {
        self.drain.cancel();
        let deadline = Instant::now() + self.drain_timeout + JOIN_SLACK;
        while self.threads.iter().any(|thread| !thread.is_finished()) {
            if Instant::now() >= deadline {
                return false;
            }
            std::thread::sleep(JOIN_POLL);
        }
        self.join();
        true
    }
}

/// Starts `count` workers, at least one. `make_handler` is called on each worker's thread with the worker's number.
///
/// Cancelling `drain` starts the drain of all workers.
///
/// # Errors
/// [`StartError`] if an address cannot be bound or a thread not be made; then none keeps running.
pub fn start_workers<H: Handler>(
    count: usize,
    binds: &Binds,
    make_handler: impl Fn(usize) -> H + Send + Sync + 'static,
    limits: &Limits,
    drain: CancellationToken,
) -> Result<Workers, StartError> {
    let count = count.max(1);
    let mut addresses = BoundAddresses::default();
    let mut sockets = Vec::with_capacity(count);
    for _ in 0..count {
        sockets.push(bind_worker(binds, &mut addresses)?);
    }
    let make_handler = Arc::new(make_handler);
    let mut threads = Vec::with_capacity(count);
    for (index, sockets) in sockets.into_iter().enumerate() {
        let make_handler = Arc::clone(&make_handler);
        let limits = limits.clone();
        let drain_worker = drain.clone();
        let runtime = runtime;
        let thread = std::thread::Builder::new()
            .name(format!("http-{index}"))
            .spawn(move || {
                let served = runtime().and_then(|runtime| {
                    runtime.block_on(async {
                        let listeners = sockets.into_listeners()?;
                        run(make_handler(index), limits, listeners, drain_worker).await;
                        Ok(())
                    })
                });
                if let Err(error) = served {
                    tracing::error!(%error, worker = index, "worker cannot serve");
                }
            });
        match thread {
            Ok(thread) => threads.push(thread),
            Err(error) => {
                drain.cancel();
                return Err(StartError::Thread(error));
            }
        }
    }
    Ok(Workers {
        addresses,
        threads,
        drain,
        drain_timeout: limits.drain_timeout,
    })
}

fn runtime() -> io::Result<tokio::runtime::LocalRuntime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING_THREADS_MAX)
        .build_local(tokio::runtime::LocalOptions::default())
}

/// The bound sockets of one worker, before they belong to a runtime.
struct WorkerSockets {
    http: Option<std::net::TcpListener>,
    https: Option<(std::net::TcpListener, Arc<ArcSwap<ServerConfig>>)>,
}

impl WorkerSockets {
    fn into_listeners(self) -> io::Result<Listeners> {
        let http = self
            .http
            .map(tokio::net::TcpListener::from_std)
            .transpose()?;
        let https = match self.https {
            Some((socket, config)) => Some((tokio::net::TcpListener::from_std(socket)?, config)),
            None => None,
        };
        Ok(Listeners { http, https })
    }
}

/// Binds one worker's sockets; the first worker resolves port 0 for the others.
fn bind_worker(binds: &Binds, bound: &mut BoundAddresses) -> Result<WorkerSockets, StartError> {
    let http = match binds.http {
        Some(address) => Some(bind(address, &mut bound.http)?),
        None => None,
    };
    let https = match &binds.https {
        Some((address, config)) => Some((bind(*address, &mut bound.https)?, Arc::clone(config))),
        None => None,
    };
    Ok(WorkerSockets { http, https })
}

fn bind(
    wanted: SocketAddr,
    bound: &mut Option<SocketAddr>,
) -> Result<std::net::TcpListener, StartError> {
    let is_first = bound.is_none();
    let address = bound.unwrap_or(wanted);
    let listen = || -> io::Result<std::net::TcpListener> {
        if is_first && address.port() != 0 {
            refuse_taken(address)?;
        }
        let socket = Socket::new(
            Domain::for_address(address),
            Type::STREAM,
            Some(Protocol::TCP),
        )?;
        socket.set_reuse_address(true)?;
        socket.set_reuse_port(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        Ok(socket.into())
    };
    let listener = listen().map_err(|source| StartError::Listen { address, source })?;
    let local = listener
        .local_addr()
        .map_err(|source| StartError::Listen { address, source })?;
    *bound = Some(local);
    Ok(listener)
}

/// Fails if somebody listens on `address`. Without this, `SO_REUSEPORT` would let a second process of the same user
/// share the port unnoticed, and each would get half of the connections.
fn refuse_taken(address: SocketAddr) -> io::Result<()> {
    let probe = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    probe.set_reuse_address(true)?;
    probe.bind(&address.into())
}
