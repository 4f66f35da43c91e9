//! Serves HTTP/2 on one connection with hyper, and makes its requests look like all others.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::{Buf, BytesMut};
use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, Request, Response, StatusCode, Uri, Version};
use http_body::Body as _;
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{ConnectionFacts, Handler, Http2Limits, Refusal, Reply, Worker};
use crate::body::{Body, Http2Body, Sender};
use crate::h1::{HeadError, is_host, strip_hop_by_hop};
use crate::io::Io;
use crate::timers::Deadline;

/// Runs hyper's stream tasks on the worker's own thread.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LocalExecutor;

impl<F: Future<Output: 'static> + 'static> hyper::rt::Executor<F> for LocalExecutor {
    fn execute(&self, future: F) {
        tokio::task::spawn_local(future);
    }
}

/// Serves a connection until the client closes it, it idles, or the worker drains. `read` was read of `io` before.
pub(super) async fn serve<H: Handler>(
    worker: Rc<Worker<H>>,
    io: Io,
    read: BytesMut,
    facts: Rc<ConnectionFacts>,
) {
    let active = Rc::new(std::cell::Cell::new(0usize));
    let service = {
        let worker = Rc::clone(&worker);
        let active = Rc::clone(&active);
        hyper::service::service_fn(move |request: Request<Incoming>| {
            let exchange = Exchanging::begin(&active);
            let worker = Rc::clone(&worker);
            let facts = Rc::clone(&facts);
            async move {
                let response = answer(&worker, request, &facts).await;
                Ok::<_, Infallible>(response.map(|body| Counted {
                    body,
                    _exchange: exchange,
                }))
            }
        })
    };
    let io = TokioIo::new(Rewound { read, io });
    let connection = builder(&worker.limits.http2).serve_connection(io, service);
    let mut connection = pin!(connection);
    let deadline = Deadline::new();
    let mut closing = false;
    poll_fn(|cx| {
        if connection.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        if active.get() > 0 {
            deadline.disarm();
        } else {
            deadline.arm_once(worker.limits.idle_timeout);
        }
        let is_idle = deadline.poll_expired(cx).is_ready();
        if (is_idle || worker.draining.get()) && !std::mem::replace(&mut closing, true) {
            connection.as_mut().graceful_shutdown();
            if connection.as_mut().poll(cx).is_ready() {
                return Poll::Ready(());
            }
            deadline.arm(worker.limits.idle_timeout);
            let _ = deadline.poll_expired(cx);
            return Poll::Pending;
        }
        // A client that does not answer GOAWAY by closing is cut off after a second idle time.
        if is_idle {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
}

fn builder(limits: &Http2Limits) -> hyper::server::conn::http2::Builder<LocalExecutor> {
    let mut builder = hyper::server::conn::http2::Builder::new(LocalExecutor);
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.streams_max)
        .max_header_list_size(limits.header_list_bytes_max)
        .max_pending_accept_reset_streams(limits.pending_resets_max)
        .max_local_error_reset_streams(limits.local_resets_max)
        .initial_stream_window_size(limits.stream_window_bytes)
        .initial_connection_window_size(limits.connection_window_bytes)
        .max_send_buf_size(limits.send_buffer_bytes)
        .keep_alive_interval(limits.ping_interval)
        .keep_alive_timeout(limits.ping_timeout);
    builder
}

async fn answer<H: Handler>(
    worker: &Worker<H>,
    request: Request<Incoming>,
    facts: &Rc<ConnectionFacts>,
) -> Response<Body> {
    let request = match normalise(request, worker) {
        Ok(request) => request,
        Err(refusal) => {
            worker.handler.refused(refusal);
            return status_only(refusal.status());
        }
    };
    match worker.handler.handle(request.into(), facts).await {
        Reply::Response(response) => {
            let mut response = Response::from(response);
            strip_hop_by_hop(response.headers_mut());
            response
        }
        // The handler was not asked for an upgrade: HTTP/2 requests carry no `Upgrade`.
        Reply::Upgrade { .. } => status_only(StatusCode::BAD_GATEWAY),
    }
}

fn status_only(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::Empty);
    *response.status_mut() = status;
    response
}

/// Gives a request the shape that the handler expects, and refuses what HTTP/1 would refuse too.
fn normalise<H: Handler>(
    request: Request<Incoming>,
    worker: &Worker<H>,
) -> Result<Request<Body>, Refusal> {
    let limits = &worker.limits;
    let (mut parts, incoming) = request.into_parts();
    if parts.method == Method::CONNECT {
        return Err(HeadError::Connect.into());
    }
    if parts.headers.len() > limits.fields_max {
        return Err(HeadError::TooManyFields.into());
    }
    set_host(&parts.uri, &mut parts.headers)?;
    let path = parts
        .uri
        .path_and_query()
        .cloned()
        .ok_or(HeadError::Target)?;
    if path.as_str().len() > limits.target_bytes_max {
        return Err(HeadError::TargetTooLong.into());
    }
    let is_asterisk = path.as_str() == "*";
    if !is_asterisk && !path.as_str().starts_with('/')
        || is_asterisk && parts.method != Method::OPTIONS
    {
        return Err(HeadError::Target.into());
    }
    parts.uri = Uri::from(path);
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
    join_cookies(&mut parts.headers);
    let body = if incoming.is_end_stream() {
        Body::Empty
    } else {
        let max = limits.request_body_bytes_max;
        if let Some(max) = max
            && incoming.size_hint().lower() > max
        {
            return Err(Refusal::BodyTooLarge);
        }
        let timeout = limits.body_timeout;
        Body::Http2(Box::new(Http2Body::new(
            incoming,
            Sender::Client,
            max,
            timeout,
        )))
    };
    Ok(Request::from_parts(parts, body))
}

/// Makes `Host` say what `:authority` says (RFC 9113 §8.3.1): the authority wins, and one of them must be there.
fn set_host(uri: &Uri, headers: &mut HeaderMap) -> Result<(), HeadError> {
    if headers.get_all(header::HOST).iter().count() > 1 {
        return Err(HeadError::Host);
    }
    if let Some(authority) = uri.authority() {
        let host = HeaderValue::from_str(authority.as_str()).map_err(|_invalid| HeadError::Host)?;
        headers.insert(header::HOST, host);
    }
    let is_valid = headers
        .get(header::HOST)
        .is_some_and(|host| is_host(host.as_bytes()));
    if is_valid {
        Ok(())
    } else {
        Err(HeadError::Host)
    }
}

/// Joins the crumbs that HTTP/2 allows a cookie to come in (RFC 9113 §8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    if headers.get_all(header::COOKIE).iter().nth(1).is_none() {
        return;
    }
    let crumbs: Vec<&[u8]> = headers
        .get_all(header::COOKIE)
        .iter()
        .map(HeaderValue::as_bytes)
        .collect();
    // Values joined by legal bytes are a legal value.
    if let Ok(cookie) = HeaderValue::from_bytes(&crumbs.join(&b"; "[..])) {
        headers.insert(header::COOKIE, cookie);
    }
}

/// Counts an exchange as active while it lives.
struct Exchanging(Rc<std::cell::Cell<usize>>);

impl Exchanging {
    fn begin(active: &Rc<std::cell::Cell<usize>>) -> Exchanging {
        active.set(active.get() + 1);
        Exchanging(Rc::clone(active))
    }
}

impl Drop for Exchanging {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

/// A response body that keeps its exchange counted until it is sent.
struct Counted {
    body: Body,
    _exchange: Exchanging,
}

impl hyper::body::Body for Counted {
    type Data = bytes::Bytes;
    type Error = crate::body::BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<bytes::Bytes>, crate::body::BodyError>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.body.size_hint()
    }
}

/// A stream with bytes put back in front of it.
struct Rewound {
    read: BytesMut,
    io: Io,
}

impl AsyncRead for Rewound {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.read.is_empty() {
            return Pin::new(&mut self.io).poll_read(cx, buffer);
        }
        let length = self.read.len().min(buffer.remaining());
        buffer.put_slice(&self.read[..length]);
        self.read.advance(length);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Rewound {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
