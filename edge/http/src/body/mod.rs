//! A message body that streams: from a client, from an upstream, or made here.

mod http2;
mod observed;

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http_body::{Body as _, Frame, SizeHint};

use crate::h1::ChunkError;
use crate::server::{ClientBody, Refusal};
use crate::upstream::UpstreamBody;

pub use self::http2::Http2Body;
pub(crate) use self::http2::Sender;
pub use self::observed::{BodyEnd, ObservedBody};

/// The longest run of bytes gathered at once from a length that a peer announced.
const COLLECT_RESERVE_MAX: u64 = 64 * 1024;

/// A streaming message body. Bytes are pulled: whoever does not poll holds the sender back.
#[derive(Default)]
pub enum Body {
    /// No content.
    #[default]
    Empty,
    /// Content that is in memory, so that it can be sent again.
    Full(Bytes),
    /// The request body of an HTTP/1 client.
    Client(ClientBody),
    /// The response body of an HTTP/1 upstream; holds its connection until it is read.
    Upstream(Box<UpstreamBody>),
    /// A body received over HTTP/2.
    Http2(Box<Http2Body>),
    /// Any other body, while somebody waits for its end.
    Observed(Box<ObservedBody>),
    /// Content made elsewhere.
    Stream(Pin<Box<dyn http_body::Body<Data = Bytes, Error = BodyError>>>),
}

/// Why a body ended before it was complete.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// The client closed its connection or reset its stream.
    #[error("the client went away")]
    ClientAborted,
    /// The upstream closed its connection or reset its stream.
    #[error("the upstream broke off")]
    UpstreamAborted,
    /// The body is larger than it may be.
    #[error("the body is larger than {bytes_max} bytes")]
    TooLarge {
        /// The limit that was passed.
        bytes_max: u64,
    },
    /// No byte came in time.
    #[error("the body stalled")]
    Timeout,
    /// The framing of the body breaks the protocol.
    #[error("malformed body")]
    Malformed(#[source] ChunkError),
    /// An HTTP/2 error.
    #[error("HTTP/2 stream failed")]
    Http2(#[source] hyper::Error),
    /// The socket failed.
    #[error("connection failed")]
    Io(#[source] std::io::Error),
}

impl BodyError {
    /// The refusal to answer a client with, if the client's own body was at fault.
    pub fn refusal(&self) -> Option<Refusal> {
        match self {
            BodyError::TooLarge { .. } => Some(Refusal::BodyTooLarge),
            BodyError::Timeout => Some(Refusal::BodyTimeout),
            BodyError::Malformed(_) => Some(Refusal::Chunk),
            BodyError::ClientAborted
            | BodyError::UpstreamAborted
            | BodyError::Http2(_)
            | BodyError::Io(_) => None,
        }
    }
}

impl Body {
    /// Makes a body of `content`; an empty one is [`Body::Empty`].
    pub fn full(content: impl Into<Bytes>) -> Body {
        let content = content.into();
        if content.is_empty() {
            Body::Empty
        } else {
            Body::Full(content)
        }
    }

    /// Wraps content made elsewhere.
    pub fn stream(body: impl http_body::Body<Data = Bytes, Error = BodyError> + 'static) -> Body {
        Body::Stream(Box::pin(body))
    }

    /// Calls `on_end` once: when the body ends, fails, or is dropped before that.
    #[must_use]
    pub fn observed(self, on_end: impl FnOnce(u64, BodyEnd<'_>) + 'static) -> Body {
        Body::Observed(Box::new(ObservedBody::new(self, on_end)))
    }

    /// Shows `on_data` every piece of the body that is read. Content in memory is shown at once and
    /// stays what it is, so that it can be sent again.
    #[must_use]
    pub fn tapped(self, mut on_data: impl FnMut(&Bytes) + 'static) -> Body {
        match self {
            Body::Empty => Body::Empty,
            Body::Full(bytes) => {
                on_data(&bytes);
                Body::Full(bytes)
            }
            other => Body::Observed(Box::new(ObservedBody::tapped(other, on_data))),
        }
    }

    /// Whether the body can be sent a second time, because nothing of it is consumed by sending.
    pub fn is_replayable(&self) -> bool {
        matches!(self, Body::Empty | Body::Full(_))
    }

    /// Reads the whole body into memory.
    ///
    /// # Errors
    /// [`BodyError::TooLarge`] as soon as more than `bytes_max` bytes are announced or read, and every error of the
    /// body itself. Trailers are dropped.
    pub async fn collect(mut self, bytes_max: u64) -> Result<Bytes, BodyError> {
        if let Body::Full(bytes) = &self
            && bytes.len() as u64 <= bytes_max
        {
            return Ok(bytes.clone());
        }
        let announced = self.size_hint().lower();
        if announced > bytes_max {
            return Err(BodyError::TooLarge { bytes_max });
        }
        let reserve = usize::try_from(announced.min(COLLECT_RESERVE_MAX)).unwrap_or(0);
        let mut content = BytesMut::with_capacity(reserve);
        while let Some(frame) = std::future::poll_fn(|cx| Pin::new(&mut self).poll_frame(cx)).await
        {
            let Ok(data) = frame?.into_data() else {
                continue;
            };
            if content.len() as u64 + data.len() as u64 > bytes_max {
                return Err(BodyError::TooLarge { bytes_max });
            }
            content.extend_from_slice(&data);
        }
        Ok(content.freeze())
    }

    /// The same body once more, if sending it consumes nothing.
    pub(crate) fn replay(&self) -> Option<Body> {
        match self {
            Body::Empty => Some(Body::Empty),
            Body::Full(bytes) => Some(Body::Full(bytes.clone())),
            Body::Client(_)
            | Body::Upstream(_)
            | Body::Http2(_)
            | Body::Observed(_)
            | Body::Stream(_) => None,
        }
    }

    /// Lets a response body that still feeds its request to the upstream go on with that, without reading from it.
    pub(crate) fn poll_progress(&mut self, cx: &mut Context<'_>) {
        match self {
            Body::Upstream(body) => body.poll_progress(cx),
            Body::Observed(body) => body.poll_progress(cx),
            Body::Empty | Body::Full(_) | Body::Client(_) | Body::Http2(_) | Body::Stream(_) => {}
        }
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.get_mut() {
            Body::Empty => Poll::Ready(None),
            full @ Body::Full(_) => match std::mem::take(full) {
                Body::Full(bytes) => Poll::Ready(Some(Ok(Frame::data(bytes)))),
                _ => Poll::Ready(None),
            },
            Body::Client(body) => body.poll_frame(cx),
            Body::Upstream(body) => body.poll_frame(cx),
            Body::Http2(body) => body.poll_frame(cx),
            Body::Observed(body) => body.poll_frame(cx),
            Body::Stream(body) => body.as_mut().poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Body::Empty => true,
            Body::Full(_) => false,
            Body::Client(body) => body.is_end(),
            Body::Upstream(body) => body.is_end(),
            Body::Http2(body) => body.is_end(),
            Body::Observed(body) => body.is_end(),
            Body::Stream(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Body::Empty => SizeHint::with_exact(0),
            Body::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Body::Client(body) => body.size_hint(),
            Body::Upstream(body) => body.size_hint(),
            Body::Http2(body) => body.size_hint(),
            Body::Observed(body) => body.size_hint(),
            Body::Stream(body) => body.size_hint(),
        }
    }
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Body::Empty => "Empty",
            Body::Full(_) => "Full",
            Body::Client(_) => "Client",
            Body::Upstream(_) => "Upstream",
            Body::Http2(_) => "Http2",
            Body::Observed(_) => "Observed",
            Body::Stream(_) => "Stream",
        })
    }
}
