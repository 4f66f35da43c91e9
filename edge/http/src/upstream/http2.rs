//! Exchanges over HTTP/2 connections, which hyper drives in tasks of this worker.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::{Duration, Instant};

use http::header::{self, HeaderValue};
use http::uri::{Parts as UriParts, PathAndQuery, Scheme};
use http::{Request, Uri, Version};
use http_body::Body as _;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioIo, TokioTimer};

use super::connect::connect;
use super::pool::Pool;
use super::{TimeoutPhase, UpstreamError, UpstreamReply, http1};
use crate::body::{Body, Http2Body, Sender};
use crate::h1::strip_hop_by_hop;
use crate::io::Io;
use crate::message::{self, RequestParts};
use crate::server::LocalExecutor;
use crate::timers::Deadline;

/// Streams of one connection where the configuration sets no limit: what servers usually allow.
const STREAMS_MAX: usize = 100;

/// Silence after which an upstream is pinged, and the time it has to answer.
const PING_INTERVAL: Duration = Duration::from_secs(30);
const PING_TIMEOUT: Duration = Duration::from_secs(10);

/// Largest response header list in bytes.
const HEADER_LIST_BYTES_MAX: u32 = 64 * 1024;

/// The HTTP/2 connections of one pool.
#[derive(Default)]
pub(super) struct Http2Connections {
    open: RefCell<Vec<Http2Connection>>,
    /// Held while a connection is opened, so that a burst of requests opens one.
    opening: tokio::sync::Mutex<()>,
    /// Set once the upstream has chosen HTTP/1 by ALPN.
    is_refused: Cell<bool>,
}

#[derive(Clone)]
struct Http2Connection {
    sender: SendRequest<Body>,
    streams: Rc<Cell<usize>>,
    used: Rc<Cell<Instant>>,
}

/// One stream of a connection while it lives.
pub(crate) struct Stream(Rc<Cell<usize>>);

impl Drop for Stream {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

impl Http2Connection {
    fn begin(&self) -> Stream {
        self.streams.set(self.streams.get() + 1);
        self.used.set(Instant::now());
        Stream(Rc::clone(&self.streams))
    }
}

impl Http2Connections {
    /// The least busy connection with room for a stream.
    fn pick(&self, streams_max: usize) -> Option<Http2Connection> {
        let mut open = self.open.borrow_mut();
        open.retain(|connection| !connection.sender.is_closed());
        open.iter()
            .filter(|connection| connection.streams.get() < streams_max)
            .min_by_key(|connection| connection.streams.get())
            .cloned()
    }

    /// Closes connections without streams that were idle too long; returns whether none is left.
    pub(super) fn sweep(&self, timeout: Duration) -> bool {
        let mut open = self.open.borrow_mut();
        open.retain(|connection| {
            let is_idle =
                connection.streams.get() == 0 && connection.used.get().elapsed() >= timeout;
            !is_idle && !connection.sender.is_closed()
        });
        open.is_empty()
    }
}

enum Ready {
    Http2(Http2Connection),
    /// The upstream chose HTTP/1; the connection it was chosen on, if it is new.
    Http1(Option<Io>),
}

/// Sends a request over HTTP/2, or over HTTP/1 if the upstream chose that by ALPN.
///
/// A connection may close between the choice and the sending. Then hyper gives the request back unsent, and it goes
/// out once more on another connection.
pub(super) async fn send(
    pool: &Rc<Pool>,
    parts: RequestParts,
    body: Body,
) -> Result<UpstreamReply, UpstreamError> {
    let connection = match ready(pool).await? {
        Ready::Http2(connection) => connection,
        Ready::Http1(io) => {
            let leased = io.map(|io| pool.adopt(io)).transpose()?;
            return http1::send(pool, leased, &parts, body).await;
        }
    };
    let request = translate(pool, parts, body)?;
    let unsent = match exchange(pool, connection, request).await {
        Ok(reply) => return Ok(reply),
        Err(Failure {
            unsent: None,
            error,
        }) => return Err(error),
        Err(Failure {
            unsent: Some(request),
            ..
        }) => *request,
    };
    match ready(pool).await? {
        Ready::Http2(connection) => exchange(pool, connection, unsent)
            .await
            .map_err(|failure| failure.error),
        // An upstream that has just spoken HTTP/2 is not asked in another protocol for the same request.
        Ready::Http1(_) => Err(UpstreamError::Closed),
    }
}

struct Failure {
    error: UpstreamError,
    unsent: Option<Box<Request<Body>>>,
}

async fn exchange(
    pool: &Pool,
    mut connection: Http2Connection,
    request: Request<Body>,
) -> Result<UpstreamReply, Failure> {
    let stream = connection.begin();
    let options = pool.target.options();
    let deadline = Deadline::new();
    deadline.arm(options.read_timeout);
    let mut sending = pin!(connection.sender.try_send_request(request));
    let outcome = poll_fn(|cx| match sending.as_mut().poll(cx) {
        Poll::Ready(outcome) => Poll::Ready(Some(outcome)),
        Poll::Pending => deadline.poll_expired(cx).map(|()| None),
    })
    .await;
    let response = match outcome {
        None => {
            let error = UpstreamError::Timeout(TimeoutPhase::Read);
            return Err(Failure {
                error,
                unsent: None,
            });
        }
        Some(Ok(response)) => response,
        Some(Err(mut failure)) => {
            let unsent = failure.take_message().map(Box::new);
            return Err(Failure {
                error: UpstreamError::Http2(failure.into_error()),
                unsent,
            });
        }
    };
    let idle_timeout = options.idle_timeout;
    let mut response = response.map(|incoming| {
        if incoming.is_end_stream() {
            return Body::Empty;
        }
        let body = Http2Body::new(incoming, Sender::Upstream, None, idle_timeout);
        Body::Http2(Box::new(body.holding(stream)))
    });
    strip_hop_by_hop(response.headers_mut());
    Ok(UpstreamReply {
        response: response.into(),
        upgrade: None,
    })
}

/// A connection with room for a stream, opened if there is none and the limit allows another.
async fn ready(pool: &Rc<Pool>) -> Result<Ready, UpstreamError> {
    let connections = &pool.http2;
    let streams_max = pool
        .target
        .options()
        .http2
        .streams_max
        .unwrap_or(STREAMS_MAX)
        .max(1);
    if connections.is_refused.get() {
        return Ok(Ready::Http1(None));
    }
    if let Some(connection) = connections.pick(streams_max) {
        return Ok(Ready::Http2(connection));
    }
    let _opening = connections.opening.lock().await;
    if connections.is_refused.get() {
        return Ok(Ready::Http1(None));
    }
    if let Some(connection) = connections.pick(streams_max) {
        return Ok(Ready::Http2(connection));
    }
    if connections.open.borrow().len() >= pool.connections_max {
        // All are full: hyper queues the stream until the upstream allows another.
        let busiest = connections.pick(usize::MAX);
        let exhausted = UpstreamError::PoolExhausted {
            connections_max: pool.connections_max,
        };
        return busiest.map(Ready::Http2).ok_or(exhausted);
    }
    open(pool).await
}

async fn open(pool: &Rc<Pool>) -> Result<Ready, UpstreamError> {
    let connected = connect(&pool.target, &pool.resolver).await?;
    if pool.target.tls().is_some() && !connected.is_http2 {
        pool.http2.is_refused.set(true);
        return Ok(Ready::Http1(Some(connected.io)));
    }
    let options = pool.target.options().http2;
    let mut builder = Builder::new(LocalExecutor);
    builder
        .timer(TokioTimer::new())
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT)
        .max_header_list_size(HEADER_LIST_BYTES_MAX);
    if let Some(bytes) = options.connection_window_bytes {
        builder.initial_connection_window_size(bytes);
    }
    if let Some(bytes) = options.stream_window_bytes {
        builder.initial_stream_window_size(bytes);
    }
    if let Some(bytes) = options.frame_bytes_max {
        builder.max_frame_size(bytes);
    }
    let handshake = builder.handshake::<_, Body>(TokioIo::new(connected.io));
    let timeout = pool.target.options().connect_timeout;
    let (sender, driver) = match tokio::time::timeout(timeout, handshake).await {
        Ok(shaken) => shaken.map_err(UpstreamError::Http2)?,
        Err(_) => return Err(UpstreamError::Timeout(TimeoutPhase::Connect)),
    };
    tokio::task::spawn_local(async move {
        if let Err(error) = driver.await {
            tracing::debug!(%error, "upstream connection ended");
        }
    });
    let connection = Http2Connection {
        sender,
        streams: Rc::default(),
        used: Rc::new(Cell::new(Instant::now())),
    };
    pool.http2.open.borrow_mut().push(connection.clone());
    Ok(Ready::Http2(connection))
}

/// Turns a request into its HTTP/2 form: `Host` becomes `:authority`, hop-by-hop fields go (RFC 9113 §8.2.2).
fn translate(pool: &Pool, parts: RequestParts, body: Body) -> Result<Request<Body>, UpstreamError> {
    let request = message::Request { parts, body };
    let (mut parts, body) = Request::from(request).into_parts();
    let host = parts.headers.remove(header::HOST);
    let host = host.as_ref().unwrap_or(pool.target.authority());
    let mut uri = UriParts::default();
    let is_tls = pool.target.tls().is_some();
    uri.scheme = Some(if is_tls { Scheme::HTTPS } else { Scheme::HTTP });
    let authority = host
        .as_bytes()
        .try_into()
        .map_err(|_invalid| UpstreamError::Request("host"))?;
    uri.authority = Some(authority);
    let path = parts.uri.path_and_query().cloned();
    uri.path_and_query = Some(path.unwrap_or(PathAndQuery::from_static("/")));
    parts.uri = Uri::from_parts(uri).map_err(|_invalid| UpstreamError::Request("target"))?;
    parts.version = Version::HTTP_2;
    parts.headers.remove(header::UPGRADE);
    parts.headers.remove(header::EXPECT);
    let accepts_trailers = parts
        .headers
        .get(header::TE)
        .is_some_and(|te| te == "trailers");
    strip_hop_by_hop(&mut parts.headers);
    if accepts_trailers {
        parts
            .headers
            .insert(header::TE, HeaderValue::from_static("trailers"));
    }
    Ok(Request::from_parts(parts, body))
}
