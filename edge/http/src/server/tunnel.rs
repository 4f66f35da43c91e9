//! Copies bytes both ways between a client and an upstream that agreed to switch protocols.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::AsyncWrite;

use crate::io::Io;
use crate::timers::Deadline;
use crate::upstream::UpgradedIo;

/// Room for one read of one direction; also the most bytes held for a slow receiver.
const COPY_BYTES: usize = 16 * 1024;

/// Copies until both sides have closed, one fails, or both are silent for `idle`.
///
/// The close of one side is passed on as the close of the other's sending half.
pub(super) async fn tunnel(mut client: Io, read: BytesMut, upstream: UpgradedIo, idle: Duration) {
    let UpgradedIo {
        io: mut backend,
        read: backend_read,
        slot: _slot,
    } = upstream;
    let mut up = Direction::starting_with(read.freeze());
    let mut down = Direction::starting_with(backend_read);
    let deadline = Deadline::new();
    deadline.arm(idle);
    poll_fn(|cx| {
        let before = up.moved + down.moved;
        let up_ended = up.poll_copy(&mut client, &mut backend, cx);
        let down_ended = down.poll_copy(&mut backend, &mut client, cx);
        let failed = |ended: &Poll<bool>| matches!(ended, Poll::Ready(false));
        if failed(&up_ended) || failed(&down_ended) || up.is_closed() && down.is_closed() {
            return Poll::Ready(());
        }
        if up.moved + down.moved != before {
            deadline.arm(idle);
        }
        deadline.poll_expired(cx)
    })
    .await;
}

/// One direction of a tunnel.
struct Direction {
    pending: Bytes,
    buffer: BytesMut,
    stage: Stage,
    moved: u64,
}

#[derive(PartialEq, Eq)]
enum Stage {
    Copying,
    Closing,
    Closed,
}

impl Direction {
    fn starting_with(pending: Bytes) -> Direction {
        Direction {
            pending,
            buffer: BytesMut::new(),
            stage: Stage::Copying,
            moved: 0,
        }
    }

    fn is_closed(&self) -> bool {
        self.stage == Stage::Closed
    }

    /// Copies what it can: `Ready(true)` once the receiver was told of the end, `Ready(false)` on failure.
    fn poll_copy(&mut self, from: &mut Io, to: &mut Io, cx: &mut Context<'_>) -> Poll<bool> {
        loop {
            while !self.pending.is_empty() {
                match std::task::ready!(Pin::new(&mut *to).poll_write(cx, &self.pending)) {
                    Ok(0) | Err(_) => return Poll::Ready(false),
                    Ok(written) => {
                        self.pending.advance(written);
                        self.moved += written as u64;
                    }
                }
            }
            match self.stage {
                Stage::Closed => return Poll::Ready(true),
                Stage::Closing => {
                    // A peer that has closed already cannot be told.
                    let _ = std::task::ready!(Pin::new(&mut *to).poll_shutdown(cx));
                    self.stage = Stage::Closed;
                    continue;
                }
                Stage::Copying => {}
            }
            if std::task::ready!(Pin::new(&mut *to).poll_flush(cx)).is_err() {
                return Poll::Ready(false);
            }
            if self.buffer.capacity() < COPY_BYTES / 2 {
                self.buffer.reserve(COPY_BYTES);
            }
            let read = tokio_util::io::poll_read_buf(Pin::new(&mut *from), cx, &mut self.buffer);
            match std::task::ready!(read) {
                Err(_) => return Poll::Ready(false),
                Ok(0) => self.stage = Stage::Closing,
                Ok(_) => {
                    self.pending = self.buffer.split().freeze();
                }
            }
        }
    }
}
