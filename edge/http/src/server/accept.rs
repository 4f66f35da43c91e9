//! One worker: accepts connections from its listeners, serves each in a task of its own thread, drains at the end.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::BytesMut;
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::connection::ClientConnection;
use super::http1::{self, End};
use super::{ConnectionFacts, Handler, Limits, Refusal, TlsFacts, http2};
use crate::io::Io;
use crate::timers;

/// Pause after a failed accept: the usual cause is a lack of file descriptors, which takes time to pass.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How often a draining worker looks whether its connections have ended.
const DRAIN_POLL: Duration = Duration::from_millis(20);

/// What the connections of one worker share.
pub(crate) struct Worker<H> {
    pub(super) handler: H,
    pub(super) limits: Limits,
    pub(super) draining: Cell<bool>,
    connections: Cell<usize>,
}

/// The listeners of one worker.
pub(crate) struct Listeners {
    pub(crate) http: Option<TcpListener>,
    pub(crate) https: Option<(TcpListener, Arc<ArcSwap<ServerConfig>>)>,
}

/// Serves until `drain` is cancelled; then stops accepting and gives what is in flight time to finish.
pub(crate) async fn run<H: Handler>(
    handler: H,
    limits: Limits,
    listeners: Listeners,
    drain: CancellationToken,
) {
    let worker = Rc::new(Worker {
        handler,
        limits,
        draining: Cell::new(false),
        connections: Cell::new(0),
    });
    {
        let Listeners { http, https } = listeners;
        let mut cancelled = pin!(drain.cancelled());
        let mut clear = pin!(async {
            match http {
                Some(listener) => accept_clear(&worker, listener).await,
                None => std::future::pending().await,
            }
        });
        let mut encrypted = pin!(async {
            match https {
                Some((listener, config)) => accept_tls(&worker, listener, config).await,
                None => std::future::pending().await,
            }
        });
        poll_fn(|cx| {
            if cancelled.as_mut().poll(cx).is_ready() {
                return Poll::Ready(());
            }
            let _: Poll<()> = clear.as_mut().poll(cx);
            let _: Poll<()> = encrypted.as_mut().poll(cx);
            Poll::Pending
        })
        .await;
    }
    worker.draining.set(true);
    let deadline = tokio::time::Instant::now() + worker.limits.drain_timeout;
    while worker.connections.get() > 0 && tokio::time::Instant::now() < deadline {
        // A connection that becomes idle between two looks needs a nudge, so each look gives one.
        timers::wake_all();
        tokio::time::sleep(DRAIN_POLL).await;
    }
    let left = worker.connections.get();
    if left > 0 {
        tracing::warn!(
            connections = left,
            "drain deadline passed, closing connections"
        );
    }
}

async fn accept_clear<H: Handler>(worker: &Rc<Worker<H>>, listener: TcpListener) {
    loop {
        let (stream, remote) = accept(&listener).await;
        let Some(slot) = Slot::take(worker) else {
            continue;
        };
        let worker = Rc::clone(worker);
        tokio::task::spawn_local(async move {
            let _slot = slot;
            if let Some(local) = prepare(&stream) {
                let facts = ConnectionFacts {
                    remote,
                    local,
                    tls: None,
                    server_id: "http",
                };
                serve_http1(worker, Io::Clear(stream), Rc::new(facts)).await;
            }
        });
    }
}

async fn accept_tls<H: Handler>(
    worker: &Rc<Worker<H>>,
    listener: TcpListener,
    config: Arc<ArcSwap<ServerConfig>>,
) {
    loop {
        let (stream, remote) = accept(&listener).await;
        let Some(slot) = Slot::take(worker) else {
            continue;
        };
        let worker = Rc::clone(worker);
        let config = config.load_full();
        tokio::task::spawn_local(async move {
            let _slot = slot;
            serve_tls(worker, stream, remote, config).await;
        });
    }
}

async fn serve_tls<H: Handler>(
    worker: Rc<Worker<H>>,
    stream: TcpStream,
    remote: SocketAddr,
    config: Arc<ServerConfig>,
) {
    let Some(local) = prepare(&stream) else {
        return;
    };
    let handshake = TlsAcceptor::from(config).accept(stream);
    let shaken = tokio::time::timeout(worker.limits.handshake_timeout, handshake).await;
    let Ok(Ok(stream)) = shaken else {
        worker.handler.refused(Refusal::TlsHandshake);
        return;
    };
    let tls = TlsFacts::of(stream.get_ref().1);
    let speaks_http2 = tls.alpn.as_deref() == Some(b"h2");
    let facts = ConnectionFacts {
        remote,
        local,
        tls: Some(tls),
        server_id: "https",
    };
    let io = Io::Tls(Box::new(tokio_rustls::TlsStream::Server(stream)));
    if speaks_http2 {
        http2::serve(worker, io, BytesMut::new(), Rc::new(facts)).await;
    } else {
        serve_http1(worker, io, Rc::new(facts)).await;
    }
}

async fn serve_http1<H: Handler>(worker: Rc<Worker<H>>, io: Io, facts: Rc<ConnectionFacts>) {
    let connection = Rc::new(ClientConnection::new(io, worker.limits.body_timeout));
    match http1::serve(&worker, connection, &facts).await {
        End::Closed => {}
        End::Http2(connection) => {
            if let Some((io, read)) = connection.into_parts() {
                // Boxed so that connections that stay with HTTP/1 do not carry its room.
                Box::pin(http2::serve(worker, io, read, facts)).await;
            }
        }
    }
}

async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) => {
                tracing::warn!(%error, "accept failed");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Sets what every client socket needs; `None` if the client has gone already.
fn prepare(stream: &TcpStream) -> Option<SocketAddr> {
    stream.set_nodelay(true).ok()?;
    stream.local_addr().ok()
}

/// The right to hold one connection.
struct Slot<H: Handler>(Rc<Worker<H>>);

impl<H: Handler> Slot<H> {
    fn take(worker: &Rc<Worker<H>>) -> Option<Slot<H>> {
        if worker.connections.get() >= worker.limits.connections_max {
            worker.handler.refused(Refusal::TooManyConnections);
            return None;
        }
        worker.connections.set(worker.connections.get() + 1);
        worker.handler.connection_changed(true);
        Some(Slot(Rc::clone(worker)))
    }
}

impl<H: Handler> Drop for Slot<H> {
    fn drop(&mut self) {
        self.0.connections.set(self.0.connections.get() - 1);
        self.0.handler.connection_changed(false);
    }
}
