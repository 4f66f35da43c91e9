//! Bodies received over HTTP/2, with the limit and the silence timeout that hyper leaves to us.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};

use super::BodyError;
use crate::timers::Deadline;
use crate::upstream::Stream;

/// Which side sent the body, so that a broken stream is blamed on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sender {
    Client,
    Upstream,
}

/// A body received over HTTP/2.
pub struct Http2Body {
    incoming: hyper::body::Incoming,
    sender: Sender,
    remaining: Option<u64>,
    bytes_max: u64,
    silence: Duration,
    deadline: Deadline,
    stream: Option<Stream>,
}

impl std::fmt::Debug for Http2Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Http2Body")
    }
}

impl Http2Body {
    pub(crate) fn new(
        incoming: hyper::body::Incoming,
        sender: Sender,
        bytes_max: Option<u64>,
        silence: Duration,
    ) -> Http2Body {
        Http2Body {
            incoming,
            sender,
            remaining: bytes_max,
            bytes_max: bytes_max.unwrap_or(u64::MAX),
            silence,
            deadline: Deadline::new(),
            stream: None,
        }
    }

    /// Keeps `stream` counted as long as the body lives.
    pub(crate) fn holding(mut self, stream: Stream) -> Http2Body {
        self.stream = Some(stream);
        self
    }

    pub(super) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match Pin::new(&mut self.incoming).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                self.deadline.disarm();
                Poll::Ready(Some(self.count(frame)))
            }
            Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(self.blame(error)))),
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => {
                self.deadline.arm_once(self.silence);
                match self.deadline.poll_expired(cx) {
                    Poll::Ready(()) => Poll::Ready(Some(Err(BodyError::Timeout))),
                    Poll::Pending => Poll::Pending,
                }
            }
        }
    }

    pub(super) fn is_end(&self) -> bool {
        self.incoming.is_end_stream()
    }

    pub(super) fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }

    fn count(&mut self, frame: Frame<Bytes>) -> Result<Frame<Bytes>, BodyError> {
        if let (Some(remaining), Some(data)) = (self.remaining.as_mut(), frame.data_ref()) {
            *remaining = remaining
                .checked_sub(data.len() as u64)
                .ok_or(BodyError::TooLarge {
                    bytes_max: self.bytes_max,
                })?;
        }
        Ok(frame)
    }

    fn blame(&self, error: hyper::Error) -> BodyError {
        let gone = error.is_canceled() || error.is_closed() || error.is_incomplete_message();
        match self.sender {
            Sender::Client if gone => BodyError::ClientAborted,
            Sender::Upstream if gone => BodyError::UpstreamAborted,
            Sender::Client | Sender::Upstream => BodyError::Http2(error),
        }
    }
}
