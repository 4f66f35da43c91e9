//! Serves HTTP/1 on one connection: read a head, let the handler answer, send the answer, again.

use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Method, Version};

use super::connection::ClientConnection;
use super::respond::{Answered, respond, respond_refusal};
use super::tunnel::tunnel;
use super::{ConnectionFacts, Handler, Limits, Refusal, Reply, Worker};
use crate::body::Body;
use crate::h1::{Framing, HeadLimits, HeadScan, Outgoing, RequestHead, parse_request};
use crate::message::{Request, RequestParts};
use crate::timers::Deadline;

/// The first head of an HTTP/2 connection with prior knowledge, as an HTTP/1 parser sees it (RFC 9113 §3.4).
const HTTP2_PREFACE_HEAD: &[u8] = b"PRI * HTTP/2.0\r\n\r\n";

/// How long a refused client may go on sending before it is cut off (RFC 9112 §9.6).
const LINGER: Duration = Duration::from_secs(1);

/// What the serving task keeps between requests.
pub(super) struct Session {
    pub(super) connection: Rc<ClientConnection>,
    pub(super) out: Outgoing,
    pub(super) deadline: Deadline,
    scan: HeadScan,
    requests: u64,
}

/// How serving HTTP/1 ended.
pub(super) enum End {
    Closed,
    /// The client speaks HTTP/2 by prior knowledge; nothing of it was consumed.
    Http2(Rc<ClientConnection>),
}

enum Arrival {
    Head(Box<RequestHead>),
    Http2,
    Closed,
    Refused(Refusal),
}

/// Serves a connection until it ends.
pub(super) async fn serve<H: Handler>(
    worker: &Worker<H>,
    connection: Rc<ClientConnection>,
    facts: &Rc<ConnectionFacts>,
) -> End {
    let mut session = Session {
        connection,
        out: Outgoing::default(),
        deadline: Deadline::new(),
        scan: HeadScan::default(),
        requests: 0,
    };
    loop {
        let head = match session.read_head(worker).await {
            Arrival::Head(head) => head,
            Arrival::Http2 => return End::Http2(session.connection),
            Arrival::Closed => return End::Closed,
            Arrival::Refused(refusal) => {
                session.refuse(worker, refusal, true).await;
                return End::Closed;
            }
        };
        session.requests += 1;
        match session.answer(worker, *head, facts).await {
            Next::Request => {}
            Next::Close => {
                session.linger(&worker.limits).await;
                return End::Closed;
            }
            Next::Cut => return End::Closed,
            Next::Tunnel(upstream) => {
                let idle = worker.limits.upgrade_idle_timeout;
                if let Some((io, read)) = session.connection.into_parts() {
                    tunnel(io, read, upstream, idle).await;
                }
                return End::Closed;
            }
        }
    }
}

/// What follows an answer.
enum Next {
    /// The next request.
    Request,
    /// An orderly close.
    Close,
    /// An immediate close: the client has gone, or must see that its response is not complete.
    Cut,
    /// Bytes in both directions.
    Tunnel(crate::upstream::UpgradedIo),
}

impl Session {
    async fn read_head<H: Handler>(&mut self, worker: &Worker<H>) -> Arrival {
        let limits = &worker.limits;
        let has_bytes = !self.connection.receive.borrow().incoming.bytes.is_empty();
        self.deadline.arm(if has_bytes {
            limits.head_timeout
        } else {
            limits.idle_timeout
        });
        let mut started = has_bytes;
        poll_fn(|cx| self.poll_head(worker, &mut started, cx)).await
    }

    fn poll_head<H: Handler>(
        &mut self,
        worker: &Worker<H>,
        started: &mut bool,
        cx: &mut Context<'_>,
    ) -> Poll<Arrival> {
        let limits = &worker.limits;
        let connection = Rc::clone(&self.connection);
        let mut receive = connection.receive.borrow_mut();
        loop {
            match self.take_head(&mut receive.incoming.bytes, limits) {
                Ok(Some(arrival)) => return Poll::Ready(arrival),
                Ok(None) => {}
                Err(refusal) => return Poll::Ready(Arrival::Refused(refusal)),
            }
            let is_idle = receive.incoming.bytes.is_empty();
            if is_idle && worker.draining.get() {
                return Poll::Ready(Arrival::Closed);
            }
            if !is_idle && !*started {
                *started = true;
                self.deadline.arm(limits.head_timeout);
            }
            match receive
                .incoming
                .poll_read(&mut connection.io.borrow_mut(), cx)
            {
                Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(Arrival::Closed),
                Poll::Ready(Ok(_)) => {}
                Poll::Pending => {
                    std::task::ready!(self.deadline.poll_expired(cx));
                    return Poll::Ready(if is_idle {
                        Arrival::Closed
                    } else {
                        Arrival::Refused(Refusal::HeadTimeout)
                    });
                }
            }
        }
    }

    /// Takes a complete head off the front of what was read.
    fn take_head(
        &mut self,
        input: &mut bytes::BytesMut,
        limits: &Limits,
    ) -> Result<Option<Arrival>, Refusal> {
        if input.starts_with(b"\r\n") {
            // RFC 9112 §2.2: an empty line before a request line is skipped.
            bytes::Buf::advance(input, 2);
            self.scan = HeadScan::default();
        }
        let Some(end) = self.scan.find_end(input, limits.head_bytes_max)? else {
            return match first_line_length(input) {
                // Whoever sends an endless target learns the right reason.
                None if input.len() > limits.target_bytes_max + 64 => {
                    Err(crate::h1::HeadError::TargetTooLong.into())
                }
                _ => Ok(None),
            };
        };
        if self.requests == 0 && &input[..end] == HTTP2_PREFACE_HEAD {
            return Ok(Some(Arrival::Http2));
        }
        let head = input.split_to(end).freeze();
        let limits = HeadLimits {
            head_bytes_max: limits.head_bytes_max,
            fields_max: limits.fields_max,
            target_bytes_max: limits.target_bytes_max,
        };
        let head = parse_request(&head, &limits)?;
        Ok(Some(Arrival::Head(Box::new(head))))
    }

    async fn answer<H: Handler>(
        &mut self,
        worker: &Worker<H>,
        head: RequestHead,
        facts: &Rc<ConnectionFacts>,
    ) -> Next {
        let bytes_max = worker.limits.request_body_bytes_max;
        if let (Framing::Length(length), Some(max)) = (head.framing, bytes_max)
            && length > max
        {
            self.refuse(worker, Refusal::BodyTooLarge, head.method != Method::HEAD)
                .await;
            return Next::Cut;
        }
        let body = self
            .connection
            .begin_body(&head, bytes_max)
            .map_or(Body::Empty, Body::Client);
        let asked = Asked {
            method: head.method.clone(),
            version: head.version,
            keep_alive: head.keep_alive,
        };
        let request = into_request(head, body);
        let reply = {
            let mut handling = pin!(worker.handler.handle(request, facts));
            poll_fn(|cx| match handling.as_mut().poll(cx) {
                Poll::Ready(reply) => Poll::Ready(Some(reply)),
                Poll::Pending => self.connection.poll_gone(cx).map(|()| None),
            })
            .await
        };
        let Some(reply) = reply else { return Next::Cut };
        let with_body = asked.method != Method::HEAD;
        if let Some(refusal) = self.connection.refusal() {
            self.refuse(worker, refusal, with_body).await;
            return Next::Cut;
        }
        match reply {
            Reply::Response(response) => match respond(self, worker, &asked, response).await {
                Answered::KeepAlive => self.after_answer(&worker.limits).await,
                Answered::Close => Next::Close,
                Answered::Cut => Next::Cut,
                Answered::Refused(refusal) => {
                    self.refuse(worker, refusal, with_body).await;
                    Next::Cut
                }
            },
            Reply::Upgrade { response, upstream } => {
                crate::h1::upgrade_head(&response.headers, self.out.head());
                match self.flush(worker.limits.write_timeout).await {
                    Ok(()) => Next::Tunnel(upstream),
                    Err(_) => Next::Cut,
                }
            }
        }
    }

    /// Makes the connection ready for the next request by reading what the handler left of the body.
    async fn after_answer(&mut self, limits: &Limits) -> Next {
        if self.connection.body_is_done() {
            return Next::Request;
        }
        let mut left = limits.discard_bytes_max;
        if poll_fn(|cx| self.connection.poll_discard(&mut left, cx)).await {
            Next::Request
        } else {
            Next::Close
        }
    }

    /// Answers a message that cannot be served, and closes so that the client gets to read the answer.
    async fn refuse<H: Handler>(&mut self, worker: &Worker<H>, refusal: Refusal, with_body: bool) {
        worker.handler.refused(refusal);
        respond_refusal(refusal, with_body, &mut self.out);
        if self.flush(worker.limits.write_timeout).await.is_ok() {
            self.linger(&worker.limits).await;
        }
    }

    pub(super) async fn flush(&mut self, timeout: Duration) -> std::io::Result<()> {
        self.deadline.arm(timeout);
        poll_fn(|cx| {
            let written = self
                .out
                .poll_write(&mut self.connection.io.borrow_mut(), cx);
            if written.is_pending() && self.deadline.poll_expired(cx).is_ready() {
                return Poll::Ready(Err(std::io::ErrorKind::TimedOut.into()));
            }
            written
        })
        .await
    }

    /// Closes the sending half and reads a while, so that bytes in flight do not turn into a reset that destroys
    /// the response on its way (RFC 9112 §9.6).
    async fn linger(&mut self, limits: &Limits) {
        self.deadline.arm(LINGER);
        let mut left = limits.discard_bytes_max;
        let mut shut = false;
        poll_fn(|cx| {
            let mut io = self.connection.io.borrow_mut();
            if !shut {
                let io = std::pin::Pin::new(&mut *io);
                shut = tokio::io::AsyncWrite::poll_shutdown(io, cx).is_ready();
            }
            let incoming = &mut self.connection.receive.borrow_mut().incoming;
            loop {
                incoming.bytes.clear();
                match incoming.poll_read(&mut io, cx) {
                    Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(()),
                    Poll::Ready(Ok(read)) => match left.checked_sub(read as u64) {
                        Some(rest) => left = rest,
                        None => return Poll::Ready(()),
                    },
                    Poll::Pending => return self.deadline.poll_expired(cx),
                }
            }
        })
        .await;
    }
}

/// What an answer must know of its request.
pub(super) struct Asked {
    pub(super) method: Method,
    pub(super) version: Version,
    pub(super) keep_alive: bool,
}

fn into_request(head: RequestHead, body: Body) -> Request {
    Request {
        parts: RequestParts {
            method: head.method,
            uri: head.uri,
            version: head.version,
            headers: head.headers,
        },
        body,
    }
}

fn first_line_length(input: &[u8]) -> Option<usize> {
    memchr::memchr(b'\n', input)
}
