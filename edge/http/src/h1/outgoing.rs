//! Bytes on their way out: small ones are copied together, a large one is written from where it is.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::AsyncWrite;

use crate::io::Io;

/// Content up to this size is copied behind the head: a copy costs less than a second write vector.
const COPY_BYTES_MAX: usize = 4 * 1024;

/// Copied bytes beyond which nothing more is gathered before a write.
const GATHER_BYTES: usize = 16 * 1024;

/// A buffer that grew beyond this is given back once it is written.
const KEEP_BYTES_MAX: usize = 64 * 1024;

/// Bytes to be written: `front`, then `middle`, then `back`. The vectors are reused from message to message.
#[derive(Debug, Default)]
pub(crate) struct Outgoing {
    front: Vec<u8>,
    middle: Bytes,
    back: Vec<u8>,
    /// How much of `front` is written; then of `back`.
    written: usize,
    /// Whether the stream may still hold back bytes that it took.
    unflushed: bool,
    /// Bytes ever taken by the stream: grows while the receiver makes progress.
    taken: u64,
}

impl Outgoing {
    /// The buffer to append small things to: heads, chunk sizes, line ends.
    pub(crate) fn head(&mut self) -> &mut Vec<u8> {
        if self.middle.is_empty() {
            &mut self.front
        } else {
            &mut self.back
        }
    }

    /// Queues content behind what is queued.
    pub(crate) fn push(&mut self, data: Bytes) {
        if data.len() <= COPY_BYTES_MAX || !self.middle.is_empty() {
            self.head().extend_from_slice(&data);
        } else {
            self.middle = data;
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.front.is_empty() && self.middle.is_empty() && self.back.is_empty()
    }

    /// Bytes ever written; unchanged between two looks means that the receiver stands still.
    pub(crate) fn taken(&self) -> u64 {
        self.taken
    }

    /// Whether more should be gathered before writing.
    pub(crate) fn has_room(&self) -> bool {
        self.middle.is_empty() && self.front.len() < GATHER_BYTES
    }

    /// Drops what is queued, to reuse the buffers for another connection or message.
    pub(crate) fn clear(&mut self) {
        reset(&mut self.front);
        reset(&mut self.back);
        self.middle = Bytes::new();
        self.written = 0;
        self.unflushed = false;
    }

    /// Writes until nothing is queued.
    pub(crate) fn poll_write(&mut self, io: &mut Io, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.is_empty() {
            self.unflushed = true;
            let written = std::task::ready!(self.poll_write_once(io, cx))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.taken += written as u64;
            self.advance(written);
        }
        if self.unflushed {
            // Only an encrypted stream holds bytes back; for a socket this is a no-op.
            std::task::ready!(Pin::new(io).poll_flush(cx))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_write_once(&self, io: &mut Io, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let io = Pin::new(io);
        if self.middle.is_empty() {
            let rest = if self.front.is_empty() {
                &self.back
            } else {
                &self.front
            };
            return io.poll_write(cx, &rest[self.written..]);
        }
        let front = if self.front.is_empty() {
            &[][..]
        } else {
            &self.front[self.written..]
        };
        let slices = [
            IoSlice::new(front),
            IoSlice::new(&self.middle),
            IoSlice::new(&self.back),
        ];
        io.poll_write_vectored(cx, &slices)
    }

    fn advance(&mut self, mut written: usize) {
        if !self.front.is_empty() {
            let left = self.front.len() - self.written;
            if written < left {
                self.written += written;
                return;
            }
            written -= left;
            reset(&mut self.front);
            self.written = 0;
        }
        if !self.middle.is_empty() {
            if written < self.middle.len() {
                bytes::Buf::advance(&mut self.middle, written);
                return;
            }
            written -= self.middle.len();
            self.middle = Bytes::new();
        }
        self.written += written;
        if self.written == self.back.len() {
            reset(&mut self.back);
            self.written = 0;
        }
    }
}

fn reset(buffer: &mut Vec<u8>) {
    if buffer.capacity() > KEEP_BYTES_MAX {
        *buffer = Vec::new();
    } else {
        buffer.clear();
    }
}
