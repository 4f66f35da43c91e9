//! Sends one response to an HTTP/1 client.

use std::future::poll_fn;
use std::task::Poll;

use http::header;
use http::{StatusCode, Version};
use http_body::Body as _;
use tidegate_policy::Headers;

use super::http1::{Asked, Session};
use super::{Handler, Refusal, Worker};
use crate::body::Body;
use crate::h1::{
    self, Blocked, BodyEncoder, Framing, Outgoing, PumpError, ResponseFraming, has_no_body,
    poll_pump,
};
use crate::message::Response;
use crate::timers::http_date;

/// How an answer ended for the connection.
pub(super) enum Answered {
    KeepAlive,
    Close,
    /// The response is not complete, or nobody is there to read it.
    Cut,
    /// The response needed the request's body, which turned out to be at fault before anything was sent.
    Refused(Refusal),
}

/// How much of a response was sent.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sent {
    Whole,
    /// The body failed.
    Part,
    /// The client has gone or takes nothing.
    Lost,
}

/// Sends `response`, streaming its body no faster than the client takes it.
pub(super) async fn respond<H: Handler>(
    session: &mut Session,
    worker: &Worker<H>,
    asked: &Asked,
    response: Response,
) -> Answered {
    let Response {
        status,
        mut headers,
        mut body,
    } = response;
    if has_no_body(&asked.method, status) {
        tell_length(&mut headers, &body, asked);
        body = Body::Empty;
    }
    let framing = framing(&body, asked.version);
    let close = !asked.keep_alive
        || framing == Framing::UntilClose
        || worker.draining.get()
        || says_close(&headers)
        || !session.connection.body_is_done()
            && !session
                .connection
                .body_is_discardable(worker.limits.discard_bytes_max);
    let hop = ResponseFraming {
        framing,
        version: asked.version,
        close,
    };
    let out = session.out.head();
    h1::response_head(status, &headers, &asked.method, hop, http_date, out);
    drop(headers);
    let mut encoder = BodyEncoder::new(framing);
    let taken = session.out.taken();
    let sent = send(session, worker, &mut body, &mut encoder).await;
    if sent != Sent::Whole {
        if let Some(refusal) = session.connection.refusal()
            && session.out.taken() == taken
        {
            session.out.clear();
            return Answered::Refused(refusal);
        }
        if sent == Sent::Part {
            // What came before the body failed is the client's to see; what is missing shows in the framing.
            let _ = session.flush(worker.limits.write_timeout).await;
        }
        session.out.clear();
        if framing == Framing::UntilClose {
            // Here an orderly close would say that the body is complete.
            session.connection.io.borrow().reset_on_close();
        }
        return Answered::Cut;
    }
    if close {
        Answered::Close
    } else {
        Answered::KeepAlive
    }
}

/// Pumps the body.
async fn send<H: Handler>(
    session: &mut Session,
    worker: &Worker<H>,
    body: &mut Body,
    encoder: &mut BodyEncoder,
) -> Sent {
    let timeout = worker.limits.write_timeout;
    session.deadline.disarm();
    let Session {
        connection,
        out,
        deadline,
        ..
    } = session;
    let mut taken = out.taken();
    poll_fn(|cx| {
        let pumped = poll_pump(body, encoder, out, cx, |out, cx| {
            out.poll_write(&mut connection.io.borrow_mut(), cx)
        });
        match pumped {
            Ok(None) => Poll::Ready(Sent::Whole),
            Err(PumpError::Body(_) | PumpError::Length(_)) => Poll::Ready(Sent::Part),
            Err(PumpError::Io) => Poll::Ready(Sent::Lost),
            Ok(Some(Blocked::Body)) => {
                deadline.disarm();
                connection.poll_gone(cx).map(|()| Sent::Lost)
            }
            Ok(Some(Blocked::Io)) => {
                body.poll_progress(cx);
                if std::mem::replace(&mut taken, out.taken()) == out.taken() {
                    deadline.arm_once(timeout);
                } else {
                    deadline.arm(timeout);
                }
                deadline.poll_expired(cx).map(|()| Sent::Lost)
            }
        }
    })
    .await
}

/// Tells in the answer to HEAD how long the content would be, if only the body knows.
fn tell_length(headers: &mut Headers, body: &Body, asked: &Asked) {
    if asked.method == http::Method::HEAD
        && let Some(length) = body.size_hint().exact().filter(|length| *length > 0)
    {
        headers
            .entry(header::CONTENT_LENGTH)
            .or_insert_with(|| length.into());
    }
}

fn framing(body: &Body, version: Version) -> Framing {
    match body.size_hint().exact() {
        Some(0) => Framing::Empty,
        Some(length) => Framing::Length(length),
        None if version == Version::HTTP_11 => Framing::Chunked,
        None => Framing::UntilClose,
    }
}

fn says_close(headers: &Headers) -> bool {
    headers
        .find(&header::CONNECTION)
        .is_some_and(|value| h1::list(value).any(|option| option.eq_ignore_ascii_case(b"close")))
}

/// Queues the answer to a message that was refused before a handler saw it.
pub(super) fn respond_refusal(refusal: Refusal, with_body: bool, out: &mut Outgoing) {
    let status = refusal.status();
    let text = if status == StatusCode::BAD_REQUEST {
        format!("Bad request: {refusal}")
    } else {
        refusal.to_string()
    };
    let content_type = http::HeaderValue::from_static("text/plain");
    let mut headers = Headers::default();
    headers.set(header::CONTENT_TYPE, content_type);
    let hop = ResponseFraming {
        framing: Framing::Length(text.len() as u64),
        version: Version::HTTP_11,
        close: true,
    };
    let method = http::Method::GET;
    h1::response_head(status, &headers, &method, hop, http_date, out.head());
    if with_body {
        out.head().extend_from_slice(text.as_bytes());
    }
}
