//! The connections of one worker to one target.
//!
//! HTTP/1 connections are idle here or leased to one exchange. The most recently used idle one is taken first, so
//! that surplus ones age and are closed.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::io::{AsyncRead, ReadBuf};

use super::connect::connect;
use super::http2::Http2Connections;
use super::resolve::Resolver;
use super::{UpstreamError, UpstreamTarget};
use crate::h1::{Incoming, Outgoing};
use crate::io::Io;
use crate::timers::{Deadline, ticks, ticks_of};

/// Most exchanges that wait for a connection; more fail at once.
const WAITERS_MAX: usize = 1024;

/// One HTTP/1 connection with its buffers.
pub(super) struct Connection {
    pub(super) io: Io,
    pub(super) incoming: Incoming,
    pub(super) out: Outgoing,
    pub(super) deadline: Deadline,
    /// In ticks of the worker's clock.
    idle_since: u64,
}

impl Connection {
    fn new(io: Io) -> Box<Connection> {
        Box::new(Connection {
            io,
            incoming: Incoming::default(),
            out: Outgoing::default(),
            deadline: Deadline::new(),
            idle_since: ticks(),
        })
    }

    fn is_idle_for(&self, timeout: Duration) -> bool {
        ticks().saturating_sub(self.idle_since) >= ticks_of(timeout)
    }

    /// Whether an idle connection has been closed by the upstream, or holds bytes nobody asked for.
    fn is_stale(&mut self) -> bool {
        if !self.incoming.bytes.is_empty() {
            return true;
        }
        let mut byte = [0u8; 1];
        let mut buffer = ReadBuf::new(&mut byte);
        let mut cx = Context::from_waker(Waker::noop());
        Pin::new(&mut self.io)
            .poll_read(&mut cx, &mut buffer)
            .is_ready()
    }
}

pub(super) struct Pool {
    pub(super) target: Arc<UpstreamTarget>,
    pub(super) resolver: Resolver,
    pub(super) http2: Http2Connections,
    /// The target's limit; this worker's share of it.
    pub(super) connections_max: usize,
    #[expect(
        clippy::vec_box,
        reason = "a connection moves in and out with every exchange, as a pointer"
    )]
    idle: RefCell<Vec<Box<Connection>>>,
    open: Cell<usize>,
    waiters: RefCell<VecDeque<Rc<Waiter>>>,
}

#[derive(Default)]
struct Waiter {
    is_called: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

/// A leased connection, and whether it has served before.
pub(super) struct Leased {
    connection: Box<Connection>,
    slot: Slot,
    pub(super) is_reused: bool,
}

/// The right to hold one of the pool's connections.
pub(crate) struct Slot(Rc<Pool>);

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.forget_one();
    }
}

impl Pool {
    pub(super) fn new(target: Arc<UpstreamTarget>, connections_max: usize) -> Pool {
        Pool {
            target,
            resolver: Resolver::default(),
            http2: Http2Connections::default(),
            connections_max,
            idle: RefCell::new(Vec::new()),
            open: Cell::new(0),
            waiters: RefCell::new(VecDeque::new()),
        }
    }

    /// Leases a new connection, else the next one that becomes free, which may have served before if `may_reuse`.
    ///
    /// Boxed: what opening a connection takes would otherwise be room in every exchange.
    pub(super) async fn lease(self: &Rc<Self>, may_reuse: bool) -> Result<Leased, UpstreamError> {
        match self.take_slot() {
            Some(slot) => Box::pin(self.lease_new(slot)).await,
            None => Box::pin(self.lease_waiting(may_reuse)).await,
        }
    }

    /// Leases a connection that has served before.
    pub(super) fn lease_idle(self: &Rc<Self>) -> Option<Leased> {
        loop {
            let mut connection = self.idle.borrow_mut().pop()?;
            // From here on the slot counts the connection, so that dropping either ends both.
            let slot = Slot(Rc::clone(self));
            let timeout = self.target.options().keep_alive_timeout;
            if !connection.is_idle_for(timeout) && !connection.is_stale() {
                return Some(Leased {
                    connection,
                    slot,
                    is_reused: true,
                });
            }
        }
    }

    fn take_slot(self: &Rc<Self>) -> Option<Slot> {
        if self.open.get() >= self.connections_max {
            return None;
        }
        self.open.set(self.open.get() + 1);
        Some(Slot(Rc::clone(self)))
    }

    async fn lease_new(self: &Rc<Self>, slot: Slot) -> Result<Leased, UpstreamError> {
        let connected = connect(&self.target, &self.resolver).await?;
        Ok(Leased {
            connection: Connection::new(connected.io),
            slot,
            is_reused: false,
        })
    }

    /// Wraps a connection that was opened for HTTP/2 but speaks HTTP/1, if the limit allows.
    pub(super) fn adopt(self: &Rc<Self>, io: Io) -> Result<Leased, UpstreamError> {
        let slot = self.take_slot().ok_or_else(|| self.exhausted())?;
        Ok(Leased {
            connection: Connection::new(io),
            slot,
            is_reused: false,
        })
    }

    async fn lease_waiting(self: &Rc<Self>, may_reuse: bool) -> Result<Leased, UpstreamError> {
        if self.waiters.borrow().len() >= WAITERS_MAX {
            return Err(self.exhausted());
        }
        let deadline = Deadline::new();
        deadline.arm(self.target.options().connect_timeout);
        loop {
            let waiting = Waiting {
                pool: Rc::clone(self),
                waiter: Rc::default(),
            };
            self.waiters
                .borrow_mut()
                .push_back(Rc::clone(&waiting.waiter));
            let called = poll_fn(|cx| {
                if waiting.waiter.is_called.get() {
                    return Poll::Ready(true);
                }
                *waiting.waiter.waker.borrow_mut() = Some(cx.waker().clone());
                deadline.poll_expired(cx).map(|()| false)
            })
            .await;
            if !called {
                return Err(self.exhausted());
            }
            if may_reuse && let Some(leased) = self.lease_idle() {
                return Ok(leased);
            }
            if !may_reuse {
                // A fresh connection is wanted: an idle one makes room for it.
                drop(self.lease_idle());
            }
            if let Some(slot) = self.take_slot() {
                return self.lease_new(slot).await;
            }
        }
    }

    fn exhausted(&self) -> UpstreamError {
        UpstreamError::PoolExhausted {
            connections_max: self.connections_max,
        }
    }

    /// Takes note that a connection is gone.
    fn forget_one(&self) {
        self.open.set(self.open.get() - 1);
        self.call_waiter();
    }

    fn call_waiter(&self) {
        let mut waiters = self.waiters.borrow_mut();
        while let Some(waiter) = waiters.pop_front() {
            // One count is ours: without another, whoever waited has given up.
            if Rc::strong_count(&waiter) > 1 {
                waiter.is_called.set(true);
                if let Some(waker) = waiter.waker.borrow_mut().take() {
                    waker.wake();
                }
                return;
            }
        }
    }

    /// Closes connections that were idle too long; returns whether the pool is empty and its target unused.
    pub(super) fn sweep(&self) -> bool {
        let timeout = self.target.options().keep_alive_timeout;
        let expired: Vec<_> = {
            let mut idle = self.idle.borrow_mut();
            idle.extract_if(.., |connection| {
                connection.is_idle_for(timeout) || connection.is_stale()
            })
            .collect()
        };
        for connection in expired {
            drop(connection);
            self.forget_one();
        }
        let http2_is_empty = self.http2.sweep(timeout);
        http2_is_empty && self.open.get() == 0 && Arc::strong_count(&self.target) == 1
    }
}

/// Passes the call on if whoever was called gave up before using it.
struct Waiting {
    pool: Rc<Pool>,
    waiter: Rc<Waiter>,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let has_idle = !self.pool.idle.borrow().is_empty();
        let has_room = self.pool.open.get() < self.pool.connections_max;
        if self.waiter.is_called.get() && (has_idle || has_room) {
            self.pool.call_waiter();
        }
    }
}

impl Leased {
    pub(super) fn connection(&mut self) -> &mut Connection {
        &mut self.connection
    }

    pub(super) fn target(&self) -> &Arc<UpstreamTarget> {
        &self.slot.0.target
    }

    /// Gives the connection back for another exchange. The response must have been read to its end.
    pub(super) fn release(self) {
        let Leased {
            mut connection,
            slot,
            ..
        } = self;
        if !slot.0.target.options().keep_alive || !connection.incoming.bytes.is_empty() {
            return;
        }
        connection.out.clear();
        connection.deadline.disarm();
        connection.idle_since = ticks();
        let pool = Rc::clone(&slot.0);
        pool.idle.borrow_mut().push(connection);
        // The idle connection goes on counting as open; only the waiters learn of it.
        pool.open.set(pool.open.get() + 1);
        drop(slot);
    }

    /// Takes the stream out for another protocol; the slot keeps counting it.
    pub(super) fn into_upgraded(self) -> (Io, bytes::Bytes, Slot) {
        let Leased {
            connection, slot, ..
        } = self;
        let Connection { io, incoming, .. } = *connection;
        (io, incoming.bytes.freeze(), slot)
    }
}
