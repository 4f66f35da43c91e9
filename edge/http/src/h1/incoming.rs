//! Bytes that arrived and were not yet consumed.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::BytesMut;

use crate::io::Io;

/// Room for one read at first: a usual head and a small body fit.
const READ_BYTES_MIN: usize = 8 * 1024;

/// Room for one read of a peer that fills its reads.
const READ_BYTES_MAX: usize = 64 * 1024;

/// A read buffer whose consumed front may live on as `Bytes`; its memory is reused when those are gone.
#[derive(Debug)]
pub(crate) struct Incoming {
    pub(crate) bytes: BytesMut,
    read_bytes: usize,
}

impl Default for Incoming {
    fn default() -> Incoming {
        Incoming {
            bytes: BytesMut::new(),
            read_bytes: READ_BYTES_MIN,
        }
    }
}

impl Incoming {
    /// Reads once; 0 means that the peer sends no more.
    pub(crate) fn poll_read(
        &mut self,
        io: &mut Io,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        if self.bytes.capacity() - self.bytes.len() < self.read_bytes / 2 {
            self.bytes.reserve(self.read_bytes);
        }
        let read = std::task::ready!(tokio_util::io::poll_read_buf(
            Pin::new(io),
            cx,
            &mut self.bytes
        ))?;
        if read >= self.read_bytes / 2 {
            self.read_bytes = (self.read_bytes * 2).min(READ_BYTES_MAX);
        }
        Poll::Ready(Ok(read))
    }
}
