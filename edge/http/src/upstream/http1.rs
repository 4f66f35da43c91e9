//! One exchange over an HTTP/1 connection: the request goes out and the response comes in at the same time.

use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header;
use http::{Method, StatusCode};
use http_body::{Body as _, Frame, SizeHint};
use tidegate_policy::Headers;

use super::pool::{Leased, Pool};
use super::{TimeoutPhase, UpgradedIo, UpstreamError, UpstreamReply};
use crate::body::{Body, BodyError};
use crate::h1::{
    BodyDecoder, BodyEncoder, Decoded, Framing, HeadError, HeadLimits, HeadScan, PumpError,
    RequestFraming, ResponseHead, parse_response, poll_pump, request_head,
};
use crate::message::{RequestParts, Response};

/// Limits of a response head; the same numbers that clients are held to.
const RESPONSE_LIMITS: HeadLimits = HeadLimits {
    head_bytes_max: 64 * 1024,
    fields_max: 128,
    target_bytes_max: 0,
};

/// Most interim responses before the final one.
const INTERIM_MAX: usize = 16;

/// An exchange that ended without a response.
struct Failure {
    error: UpstreamError,
    /// No byte of a response had come: the upstream may not have seen the request.
    is_unanswered: bool,
    /// No byte of the request had been taken by the socket: the upstream has certainly not seen it.
    is_unsent: bool,
}

/// Sends a request, on a kept connection if there is one.
///
/// A kept connection may have been closed by the upstream while the request was on its way. Then the request is sent
/// once more on a fresh one, if it can be and if that cannot do it twice (RFC 9110 §9.2.2, RFC 9112 §9.3.1).
pub(super) async fn send(
    pool: &Rc<Pool>,
    leased: Option<Leased>,
    parts: &RequestParts,
    body: Body,
) -> Result<UpstreamReply, UpstreamError> {
    let leased = match leased.or_else(|| pool.lease_idle()) {
        Some(leased) => leased,
        None => pool.lease(true).await?,
    };
    let is_reused = leased.is_reused;
    let copy = if is_reused { body.replay() } else { None };
    let failure = match exchange(leased, parts, body).await {
        Ok(reply) => return Ok(reply),
        Err(failure) => failure,
    };
    let is_connection_loss = matches!(failure.error, UpstreamError::Io(_) | UpstreamError::Closed);
    let is_repeatable = parts.method.is_idempotent() || failure.is_unsent;
    match copy {
        Some(body) if is_connection_loss && failure.is_unanswered && is_repeatable => {
            // Boxed: it is rare, and every exchange would have its room twice.
            let again = Box::pin(async {
                let leased = pool.lease(false).await?;
                let sent = exchange(leased, parts, body).await;
                sent.map_err(|failure| failure.error)
            });
            again.await
        }
        _ => Err(failure.error),
    }
}

async fn exchange(
    mut leased: Leased,
    parts: &RequestParts,
    body: Body,
) -> Result<UpstreamReply, Failure> {
    let framing = match body.size_hint().exact() {
        Some(0) => Framing::Empty,
        Some(length) => Framing::Length(length),
        None => Framing::Chunked,
    };
    let target = leased.target();
    let upgrade = framing == Framing::Empty && parts.headers.find(&header::UPGRADE).is_some();
    let hop = RequestFraming {
        framing,
        keep_alive: target.options().keep_alive,
        upgrade,
    };
    let host = target.authority().clone();
    let read_timeout = target.options().read_timeout;
    let connection = leased.connection();
    request_head(parts, &host, hop, connection.out.head());
    connection.deadline.arm(read_timeout);
    let taken = connection.out.taken();
    let mut exchange = Exchange {
        sending: Some(Sending {
            body,
            encoder: BodyEncoder::new(framing),
        }),
        is_sent: false,
        taken,
        scan: HeadScan::default(),
        leased,
    };
    let mut waiting = Waiting {
        method: &parts.method,
        answered: false,
        interim: 0,
    };
    let head = poll_fn(|cx| exchange.poll_head(&mut waiting, cx)).await;
    match head {
        Ok(head) => Ok(exchange.into_reply(head, upgrade)),
        Err(error) => Err(Failure {
            error,
            is_unanswered: !waiting.answered,
            is_unsent: exchange.leased.connection().out.taken() == taken,
        }),
    }
}

/// What is being waited for.
struct Waiting<'a> {
    method: &'a Method,
    answered: bool,
    interim: usize,
}

/// The state of an exchange, from its first byte until the response's body is read.
struct Exchange {
    /// The request as long as some of it must still be sent.
    sending: Option<Sending>,
    /// Whether the whole request was sent.
    is_sent: bool,
    taken: u64,
    scan: HeadScan,
    leased: Leased,
}

struct Sending {
    body: Body,
    encoder: BodyEncoder,
}

impl Exchange {
    /// Sends what can be sent. A failing socket ends the sending only: an upstream may answer before it closes.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Result<(), UpstreamError> {
        let Some(Sending { body, encoder }) = &mut self.sending else {
            return Ok(());
        };
        let connection = self.leased.connection();
        let io = &mut connection.io;
        match poll_pump(body, encoder, &mut connection.out, cx, |out, cx| {
            out.poll_write(io, cx)
        }) {
            Ok(Some(_)) => Ok(()),
            Ok(None) => {
                self.sending = None;
                self.is_sent = true;
                Ok(())
            }
            Err(PumpError::Io) => {
                self.sending = None;
                Ok(())
            }
            Err(PumpError::Body(error)) => Err(UpstreamError::RequestBody(error)),
            Err(PumpError::Length(_)) => Err(UpstreamError::Request("body length")),
        }
    }

    fn poll_head(
        &mut self,
        waiting: &mut Waiting<'_>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<ResponseHead, UpstreamError>> {
        self.poll_send(cx)?;
        loop {
            let connection = self.leased.connection();
            let input = &mut connection.incoming.bytes;
            let end = self.scan.find_end(input, RESPONSE_LIMITS.head_bytes_max);
            if let Some(end) = end.map_err(UpstreamError::Protocol)? {
                let head = input.split_to(end).freeze();
                let head = parse_response(&head, waiting.method, &RESPONSE_LIMITS)
                    .map_err(UpstreamError::Protocol)?;
                if !is_interim(head.status) {
                    return Poll::Ready(Ok(head));
                }
                waiting.interim += 1;
                if waiting.interim > INTERIM_MAX {
                    return Poll::Ready(Err(UpstreamError::Protocol(HeadError::TooLarge)));
                }
                continue;
            }
            match connection.incoming.poll_read(&mut connection.io, cx) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(UpstreamError::Closed)),
                Poll::Ready(Ok(_)) => waiting.answered = true,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(UpstreamError::Io(error))),
                Poll::Pending => return self.poll_timeout(cx),
            }
        }
    }

    fn poll_timeout<T>(&mut self, cx: &mut Context<'_>) -> Poll<Result<T, UpstreamError>> {
        let read_timeout = self.leased.target().options().read_timeout;
        let is_sending = self.sending.is_some();
        let connection = self.leased.connection();
        if is_sending && connection.out.taken() != self.taken {
            // An upload that moves is not a silent upstream.
            self.taken = connection.out.taken();
            connection.deadline.arm(read_timeout);
        }
        let expired = connection.deadline.poll_expired(cx);
        expired.map(|()| Err(UpstreamError::Timeout(TimeoutPhase::Read)))
    }

    fn into_reply(mut self, head: ResponseHead, asked_upgrade: bool) -> UpstreamReply {
        let connection = self.leased.connection();
        connection.deadline.disarm();
        let mut response = Response {
            status: head.status,
            headers: head.headers,
            body: Body::Empty,
        };
        if head.status == StatusCode::SWITCHING_PROTOCOLS {
            if asked_upgrade && self.is_sent {
                let (io, read, slot) = self.leased.into_upgraded();
                let upgrade = Some(UpgradedIo {
                    io,
                    read,
                    slot: Some(slot),
                });
                return UpstreamReply { response, upgrade };
            }
            // Nobody asked to switch: the connection is in an unknown state and closes with this reply.
            response.status = StatusCode::BAD_GATEWAY;
            response.headers = Headers::default();
            return UpstreamReply {
                response,
                upgrade: None,
            };
        }
        response.body = self.into_body(head.framing, head.keep_alive);
        UpstreamReply {
            response,
            upgrade: None,
        }
    }

    /// Makes the response's body; what has arrived whole is taken whole, and the connection is free at once.
    fn into_body(mut self, framing: Framing, keep_alive: bool) -> Body {
        let input = &mut self.leased.connection().incoming.bytes;
        let body = match framing {
            Framing::Empty if self.sending.is_none() => Body::Empty,
            Framing::Length(length) if self.sending.is_none() && input.len() as u64 >= length => {
                let length = usize::try_from(length).unwrap_or(input.len());
                Body::Full(input.split_to(length).freeze())
            }
            _ => {
                let decoder = BodyDecoder::new(framing);
                let body = UpstreamBody {
                    exchange: Some(self),
                    decoder,
                    keep_alive,
                };
                return Body::Upstream(Box::new(body));
            }
        };
        self.finish(keep_alive);
        body
    }

    /// Ends the exchange: the connection is kept if both messages are complete.
    fn finish(self, keep_alive: bool) {
        if keep_alive && self.is_sent {
            self.leased.release();
        }
    }
}

fn is_interim(status: StatusCode) -> bool {
    status.is_informational() && status != StatusCode::SWITCHING_PROTOCOLS
}

/// The body of a response received over HTTP/1. Dropping it early closes the connection.
pub struct UpstreamBody {
    /// Gone once the body is complete or failed.
    exchange: Option<Exchange>,
    decoder: BodyDecoder,
    keep_alive: bool,
}

impl std::fmt::Debug for UpstreamBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("UpstreamBody")
    }
}

impl UpstreamBody {
    pub(crate) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let Some(exchange) = &mut self.exchange else {
            return Poll::Ready(None);
        };
        if let Err(error) = exchange.poll_send(cx) {
            self.exchange = None;
            let error = match error {
                UpstreamError::RequestBody(error) => error,
                _ => BodyError::UpstreamAborted,
            };
            return Poll::Ready(Some(Err(error)));
        }
        let result = std::task::ready!(poll_decode(exchange, &mut self.decoder, cx));
        let failed = result.is_err();
        if failed {
            self.exchange = None;
        } else if self.decoder.is_done() {
            self.finish();
        }
        Poll::Ready(result.transpose())
    }

    /// Goes on sending the request while nobody reads the response.
    pub(crate) fn poll_progress(&mut self, cx: &mut Context<'_>) {
        if let Some(exchange) = &mut self.exchange {
            // A failure is kept by the body that failed, and met again by the next read.
            let _ = exchange.poll_send(cx);
        }
    }

    pub(crate) fn is_end(&self) -> bool {
        self.decoder.is_done()
    }

    pub(crate) fn size_hint(&self) -> SizeHint {
        self.decoder.size_hint()
    }

    fn finish(&mut self) {
        if let Some(exchange) = self.exchange.take() {
            exchange.finish(self.keep_alive);
        }
    }
}

fn poll_decode(
    exchange: &mut Exchange,
    decoder: &mut BodyDecoder,
    cx: &mut Context<'_>,
) -> Poll<Result<Option<Frame<Bytes>>, BodyError>> {
    let idle_timeout = exchange.leased.target().options().idle_timeout;
    let connection = exchange.leased.connection();
    loop {
        match decoder
            .decode(&mut connection.incoming.bytes)
            .map_err(BodyError::Malformed)?
        {
            Decoded::Data(data) => {
                connection.deadline.disarm();
                return Poll::Ready(Ok(Some(Frame::data(data))));
            }
            Decoded::Trailers(trailers) => {
                return Poll::Ready(Ok(Some(Frame::trailers(trailers))));
            }
            Decoded::End => return Poll::Ready(Ok(None)),
            Decoded::More => {}
        }
        match connection.incoming.poll_read(&mut connection.io, cx) {
            Poll::Ready(Ok(0)) if decoder.finish() => return Poll::Ready(Ok(None)),
            Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(Err(BodyError::UpstreamAborted)),
            Poll::Ready(Ok(_)) => {}
            Poll::Pending => {
                connection.deadline.arm_once(idle_timeout);
                return connection
                    .deadline
                    .poll_expired(cx)
                    .map(|()| Err(BodyError::Timeout));
            }
        }
    }
}
