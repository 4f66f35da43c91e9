//! A server with a small handler, scripted upstreams, and a client that reads raw responses.

mod http2;
mod tls;
mod upstreams;

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tidegate_edge_http::bind::{Binds, Workers, start_workers};
use tidegate_edge_http::body::{Body, BodyError};
use tidegate_edge_http::message::{Request, Response};
use tidegate_edge_http::server::{ConnectionFacts, Handler, Limits, Refusal, Reply};
use tidegate_edge_http::upstream::{TargetOptions, UpstreamPools, UpstreamTarget, UpstreamVersion};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

pub(crate) use http2::{http2_request, http2_upstream};
pub(crate) use tls::tls_rig;
pub(crate) use upstreams::{
    early_responder, flooding_upstream, silent_upstream, standstill, upgrading_upstream,
    upstream_script,
};

/// What the handler does with a request.
#[derive(Clone, Copy)]
pub(crate) enum Behaviour {
    /// Sends the request's body back.
    Echo,
    /// The same, hiding its length.
    EchoUnknownLength,
    /// Reads the body before it answers.
    Collect,
    /// Answers after a while.
    Slow(Duration),
    /// Forwards over HTTP/1.
    Forward(SocketAddr),
    /// Forwards over HTTP/2.
    ForwardHttp2(SocketAddr),
}

pub(crate) struct TestHandler {
    behaviour: Behaviour,
    pools: UpstreamPools,
    refused: Arc<AtomicUsize>,
}

impl TestHandler {
    pub(crate) fn new(behaviour: Behaviour, refused: Arc<AtomicUsize>) -> TestHandler {
        TestHandler {
            behaviour,
            pools: UpstreamPools::new(1),
            refused,
        }
    }

    async fn forward(
        &self,
        address: SocketAddr,
        version: UpstreamVersion,
        request: Request,
    ) -> Reply {
        let mut options = TargetOptions::new(address.ip().to_string(), address.port());
        options.version = version;
        let target = UpstreamTarget::intern(options).unwrap();
        match self.pools.send(&target, request).await {
            Ok(reply) => match reply.upgrade {
                Some(upstream) => Reply::Upgrade {
                    response: reply.response.map(drop),
                    upstream,
                },
                None => Reply::Response(reply.response),
            },
            Err(error) => {
                let body = Body::full(format!("{error:?}"));
                Reply::Response(Response::new(http::StatusCode::BAD_GATEWAY, body))
            }
        }
    }
}

impl Handler for TestHandler {
    async fn handle(&self, request: Request, _: &Rc<ConnectionFacts>) -> Reply {
        match self.behaviour {
            Behaviour::Echo => ok(request.body),
            Behaviour::EchoUnknownLength => {
                let body = request.body.collect(1 << 20).await.unwrap_or_default();
                ok(Body::stream(Unsized(Cell::new(Some(body)))))
            }
            Behaviour::Collect => match request.body.collect(1 << 20).await {
                Ok(body) => ok(Body::full(body)),
                Err(error) => ok(Body::full(error.to_string())),
            },
            Behaviour::Slow(time) => {
                tokio::time::sleep(time).await;
                ok(Body::full("slow"))
            }
            Behaviour::Forward(address) => {
                self.forward(address, UpstreamVersion::Http1, request).await
            }
            Behaviour::ForwardHttp2(address) => {
                self.forward(address, UpstreamVersion::Http2, request).await
            }
        }
    }

    fn refused(&self, _: Refusal) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }
}

fn ok(body: Body) -> Reply {
    Reply::Response(Response::new(http::StatusCode::OK, body))
}

/// Content whose length is not told.
struct Unsized(Cell<Option<bytes::Bytes>>);

impl http_body::Body for Unsized {
    type Data = bytes::Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<bytes::Bytes>, BodyError>>> {
        std::task::Poll::Ready(self.0.take().map(|bytes| Ok(http_body::Frame::data(bytes))))
    }
}

pub(crate) struct Rig {
    pub(crate) address: SocketAddr,
    refused: Arc<AtomicUsize>,
    workers: Option<Workers>,
    drain: CancellationToken,
}

impl Rig {
    pub(crate) async fn start(behaviour: Behaviour) -> Rig {
        let limits = Limits {
            request_body_bytes_max: Some(1 << 20),
            ..Limits::default()
        };
        Rig::with_limits(behaviour, limits).await
    }

    pub(crate) async fn with_limits(behaviour: Behaviour, limits: Limits) -> Rig {
        let refused = Arc::new(AtomicUsize::new(0));
        let drain = CancellationToken::new();
        let binds = Binds {
            http: Some("127.0.0.1:0".parse().unwrap()),
            https: None,
        };
        let make = {
            let refused = Arc::clone(&refused);
            move |_| TestHandler::new(behaviour, Arc::clone(&refused))
        };
        let workers = start_workers(1, &binds, make, &limits, drain.clone()).unwrap();
        let address = workers.addresses().http.unwrap();
        Rig {
            address,
            refused,
            workers: Some(workers),
            drain,
        }
    }

    pub(crate) async fn client(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    pub(crate) fn refused(&self) -> usize {
        self.refused.load(Ordering::Relaxed)
    }

    pub(crate) fn drain(mut self) -> bool {
        self.workers.take().unwrap().drain()
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.drain.cancel();
    }
}

const PATIENCE: Duration = Duration::from_secs(10);

/// Reads until the end; a reset counts as the end.
pub(crate) async fn read_all(stream: &mut (impl AsyncRead + Unpin)) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut piece = [0u8; 4096];
    loop {
        let read = tokio::time::timeout(PATIENCE, stream.read(&mut piece)).await;
        match read.expect("the connection ends in time") {
            Ok(0) | Err(_) => return bytes,
            Ok(length) => bytes.extend_from_slice(&piece[..length]),
        }
    }
}

/// Reads one head, in lower-case field names as the server writes them.
pub(crate) async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        let byte = tokio::time::timeout(PATIENCE, stream.read_u8()).await;
        bytes.push(byte.expect("a head in time").expect("a whole head"));
    }
    String::from_utf8(bytes).unwrap()
}

/// Reads one response: its head, and its body as it came, chunks and all.
pub(crate) async fn read_response(stream: &mut (impl AsyncRead + Unpin)) -> (String, Vec<u8>) {
    let head = read_head(stream).await;
    let mut body = Vec::new();
    if let Some((_, rest)) = head.split_once("content-length: ") {
        let length = rest.split("\r\n").next().unwrap().parse::<usize>().unwrap();
        body.resize(length, 0);
        stream.read_exact(&mut body).await.unwrap();
    } else if head.contains("transfer-encoding: chunked") {
        let last_chunk = |body: &[u8]| body.windows(3).position(|bytes| bytes == b"0\r\n");
        while !(body.ends_with(b"\r\n\r\n") && last_chunk(&body).is_some()) {
            body.push(stream.read_u8().await.unwrap());
        }
    }
    (head, body)
}
