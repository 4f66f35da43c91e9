//! The state of one HTTP/1 client connection that its serving task and the request's body share.
//!
//! Both live on one thread; borrows last for one poll step and never span a call into a body or handler.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body::{Frame, SizeHint};

use super::Refusal;
use crate::body::BodyError;
use crate::h1::{BodyDecoder, Decoded, Framing, Incoming, Outgoing, RequestHead};
use crate::io::Io;
use crate::timers::Deadline;

/// Bytes of pipelined requests read ahead while a response is under way; more wait in the socket.
const READ_AHEAD_BYTES_MAX: usize = 16 * 1024;

pub(crate) struct ClientConnection {
    pub(super) io: RefCell<Io>,
    pub(super) receive: RefCell<Receive>,
    /// Counts messages, so that a body kept beyond its exchange cannot read the next message.
    message: Cell<u64>,
    body_timeout: Duration,
}

/// The receiving half.
pub(super) struct Receive {
    pub(super) incoming: Incoming,
    decoder: BodyDecoder,
    continuation: Continuation,
    /// Content bytes the body may still have.
    allowance: u64,
    bytes_max: u64,
    deadline: Deadline,
    /// Why the body failed, if it was the client's fault.
    refusal: Option<Refusal>,
    broken: bool,
}

/// Progress of `100 Continue` (RFC 9110 §10.1.1): sent when somebody first waits for the body.
enum Continuation {
    NotAsked,
    Due,
    Sending(Outgoing),
}

impl ClientConnection {
    pub(super) fn new(io: Io, body_timeout: Duration) -> ClientConnection {
        ClientConnection {
            io: RefCell::new(io),
            receive: RefCell::new(Receive {
                incoming: Incoming::default(),
                decoder: BodyDecoder::Done,
                continuation: Continuation::NotAsked,
                allowance: u64::MAX,
                bytes_max: u64::MAX,
                deadline: Deadline::new(),
                refusal: None,
                broken: false,
            }),
            message: Cell::new(0),
            body_timeout,
        }
    }

    /// Starts the body of a request; returns `None` if it has none.
    pub(super) fn begin_body(
        self: &Rc<Self>,
        head: &RequestHead,
        bytes_max: Option<u64>,
    ) -> Option<ClientBody> {
        self.message.set(self.message.get() + 1);
        if head.framing == Framing::Empty {
            return None;
        }
        let mut receive = self.receive.borrow_mut();
        receive.decoder = BodyDecoder::new(head.framing);
        receive.bytes_max = bytes_max.unwrap_or(u64::MAX);
        receive.allowance = receive.bytes_max;
        receive.deadline.disarm();
        receive.continuation = if head.expects_continue {
            Continuation::Due
        } else {
            Continuation::NotAsked
        };
        Some(ClientBody {
            connection: Rc::clone(self),
            message: self.message.get(),
        })
    }

    /// Becomes ready when the client has gone while its response is being made.
    ///
    /// Reads ahead a bounded number of pipelined bytes to find out. A client that half-closes counts as gone.
    pub(super) fn poll_gone(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut receive = self.receive.borrow_mut();
        if !receive.decoder.is_done() {
            // Whoever reads the body notices.
            return Poll::Pending;
        }
        while receive.incoming.bytes.len() < READ_AHEAD_BYTES_MAX {
            match receive.incoming.poll_read(&mut self.io.borrow_mut(), cx) {
                Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(()),
                Poll::Ready(Ok(_)) => {}
                Poll::Pending => break,
            }
        }
        Poll::Pending
    }

    /// Whether the request's body is read to its end.
    pub(super) fn body_is_done(&self) -> bool {
        self.receive.borrow().decoder.is_done()
    }

    /// Whether the rest of the request's body is worth reading to save the connection.
    pub(super) fn body_is_discardable(&self, bytes_max: u64) -> bool {
        let receive = self.receive.borrow();
        if receive.broken || matches!(receive.continuation, Continuation::Due) {
            return false;
        }
        receive.decoder.size_hint().lower() <= bytes_max
    }

    /// Why the client's body failed, if it was its fault.
    pub(super) fn refusal(&self) -> Option<Refusal> {
        self.receive.borrow().refusal
    }

    fn poll_body(
        &self,
        message: u64,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if message != self.message.get() {
            return Poll::Ready(Some(Err(BodyError::ClientAborted)));
        }
        let mut receive = self.receive.borrow_mut();
        if receive.broken {
            return Poll::Ready(Some(Err(BodyError::ClientAborted)));
        }
        let result = std::task::ready!(receive.poll_frame(&self.io, self.body_timeout, cx));
        if let Err(error) = &result {
            receive.broken = true;
            receive.refusal = error.refusal();
        }
        Poll::Ready(result.transpose())
    }

    /// Reads and drops up to `bytes_max` bytes of the request's body; returns whether its end was reached.
    pub(super) fn poll_discard(&self, bytes_left: &mut u64, cx: &mut Context<'_>) -> Poll<bool> {
        loop {
            if self.body_is_done() {
                return Poll::Ready(true);
            }
            match std::task::ready!(self.poll_body(self.message.get(), cx)) {
                None => return Poll::Ready(true),
                Some(Err(_)) => return Poll::Ready(false),
                Some(Ok(frame)) => {
                    let length = frame.data_ref().map_or(0, Bytes::len) as u64;
                    match bytes_left.checked_sub(length) {
                        Some(left) => *bytes_left = left,
                        None => return Poll::Ready(false),
                    }
                }
            }
        }
    }

    /// Takes the stream and what was read of it apart for another protocol. The exchange must be over.
    pub(super) fn into_parts(self: Rc<Self>) -> Option<(Io, BytesMut)> {
        let connection = Rc::into_inner(self)?;
        Some((
            connection.io.into_inner(),
            connection.receive.into_inner().incoming.bytes,
        ))
    }
}

impl Receive {
    fn poll_frame(
        &mut self,
        io: &RefCell<Io>,
        timeout: Duration,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Frame<Bytes>>, BodyError>> {
        loop {
            match self.decoder.decode(&mut self.incoming.bytes) {
                Err(error) => return Poll::Ready(Err(BodyError::Malformed(error))),
                Ok(Decoded::End) => return Poll::Ready(Ok(None)),
                Ok(Decoded::Trailers(trailers)) => {
                    return Poll::Ready(Ok(Some(Frame::trailers(trailers))));
                }
                Ok(Decoded::Data(data)) => {
                    let bytes_max = self.bytes_max;
                    let Some(left) = self.allowance.checked_sub(data.len() as u64) else {
                        return Poll::Ready(Err(BodyError::TooLarge { bytes_max }));
                    };
                    self.allowance = left;
                    self.continuation = Continuation::NotAsked;
                    self.deadline.disarm();
                    return Poll::Ready(Ok(Some(Frame::data(data))));
                }
                Ok(Decoded::More) => {}
            }
            self.poll_continuation(io, cx).map_err(BodyError::Io)?;
            match self.incoming.poll_read(&mut io.borrow_mut(), cx) {
                Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(Err(BodyError::ClientAborted)),
                Poll::Ready(Ok(_)) => {}
                Poll::Pending => {
                    self.deadline.arm_once(timeout);
                    return self
                        .deadline
                        .poll_expired(cx)
                        .map(|()| Err(BodyError::Timeout));
                }
            }
        }
    }

    fn poll_continuation(&mut self, io: &RefCell<Io>, cx: &mut Context<'_>) -> io::Result<()> {
        if matches!(self.continuation, Continuation::Due) {
            let mut out = Outgoing::default();
            out.head()
                .extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
            self.continuation = Continuation::Sending(out);
        }
        if let Continuation::Sending(out) = &mut self.continuation {
            match out.poll_write(&mut io.borrow_mut(), cx) {
                Poll::Ready(result) => {
                    result?;
                    self.continuation = Continuation::NotAsked;
                }
                Poll::Pending => {}
            }
        }
        Ok(())
    }
}

/// The body of a request received over HTTP/1.
pub struct ClientBody {
    connection: Rc<ClientConnection>,
    message: u64,
}

impl std::fmt::Debug for ClientBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ClientBody")
    }
}

impl ClientBody {
    pub(crate) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.connection.poll_body(self.message, cx)
    }

    pub(crate) fn is_end(&self) -> bool {
        self.message == self.connection.message.get() && self.connection.body_is_done()
    }

    pub(crate) fn size_hint(&self) -> SizeHint {
        if self.message == self.connection.message.get() {
            self.connection.receive.borrow().decoder.size_hint()
        } else {
            SizeHint::default()
        }
    }
}
