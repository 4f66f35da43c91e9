//! The upstream side: keeps connections to backends and exchanges requests for responses over them.
//!
//! Nothing here chooses an endpoint: the target is given.

mod address_rule;
mod connect;
mod error;
mod http1;
mod http2;
mod pool;
mod proxy;
mod resolve;
mod target;
mod tls;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

pub use self::address_rule::AddressRule;
pub use self::error::{TimeoutPhase, UpstreamError};
pub use self::http1::UpstreamBody;
pub use self::proxy::{ProxyError, ProxyOptions, ProxyProtocol, ProxyUser, tunnel};
pub use self::target::{Http2Options, TargetError, TargetOptions, UpstreamTarget, UpstreamVersion};
pub use self::tls::{ClientIdentity, TlsError, TlsOptions, Verification, plain_client_config};

pub(crate) use self::http2::Stream;
use self::pool::Pool;
pub(crate) use self::pool::Slot;
pub(crate) use self::resolve::Resolver;
use crate::body::Body;
use crate::io::Io;
use crate::message::{Request, RequestParts, Response};

/// How often idle connections are looked through.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// The connections of one worker to all upstreams. Cheap to clone; not for other threads.
#[derive(Clone)]
pub struct UpstreamPools {
    shared: Rc<Shared>,
}

struct Shared {
    pools: RefCell<HashMap<u64, Rc<Pool>, ahash::RandomState>>,
    workers: usize,
    is_swept: Cell<bool>,
}

/// What an upstream answered.
#[derive(Debug)]
pub struct UpstreamReply {
    /// The response with its end-to-end fields. Its body streams; it is empty if the protocol is switched.
    pub response: Response,
    /// The connection, if the upstream agreed to switch protocols (status 101).
    pub upgrade: Option<UpgradedIo>,
}

/// An upstream connection that no longer speaks HTTP.
pub struct UpgradedIo {
    pub(crate) io: Io,
    /// Bytes that came right behind the response head.
    pub(crate) read: Bytes,
    /// Keeps the connection counted in its pool.
    pub(crate) slot: Option<Slot>,
}

impl std::fmt::Debug for UpgradedIo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UpgradedIo")
            .field("read_bytes", &self.read.len())
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for UpstreamPools {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let targets = self.shared.pools.borrow().len();
        f.debug_struct("UpstreamPools")
            .field("targets", &targets)
            .finish_non_exhaustive()
    }
}

impl UpstreamPools {
    /// Makes the pools of one of `workers` workers, each of which may use its share of a target's connections.
    pub fn new(workers: usize) -> UpstreamPools {
        let shared = Shared {
            pools: RefCell::default(),
            workers: workers.max(1),
            is_swept: Cell::new(false),
        };
        UpstreamPools {
            shared: Rc::new(shared),
        }
    }

    /// Sends a request and returns the response as soon as its head is there; both bodies go on streaming.
    ///
    /// `request` has the origin form as its target; `Host` is taken from its fields, or from the target. `Upgrade`
    /// in its fields asks for a switch of protocols (HTTP/1 only). Hop-by-hop fields are left out. Dropping the
    /// future or the response's body breaks the exchange off. Must be called inside the worker's local runtime.
    ///
    /// # Errors
    /// [`UpstreamError`] if no response came. Whether the upstream acted on the request is then unknown.
    pub async fn send(
        &self,
        target: &Arc<UpstreamTarget>,
        request: impl Into<Request>,
    ) -> Result<UpstreamReply, UpstreamError> {
        let Request { mut parts, body } = request.into();
        self.send_parts(target, &mut parts, body).await
    }

    /// As [`UpstreamPools::send`], of a head that stays where it is; it may be empty afterwards.
    pub(crate) async fn send_parts(
        &self,
        target: &Arc<UpstreamTarget>,
        parts: &mut RequestParts,
        body: Body,
    ) -> Result<UpstreamReply, UpstreamError> {
        let pool = self.pool(target);
        match target.options().version {
            UpstreamVersion::Http1 => http1::send(&pool, None, parts, body).await,
            UpstreamVersion::Http2 => {
                let parts = std::mem::take(parts);
                // Boxed: its room would otherwise be part of every HTTP/1 exchange.
                Box::pin(http2::send(&pool, parts, body)).await
            }
        }
    }

    fn pool(&self, target: &Arc<UpstreamTarget>) -> Rc<Pool> {
        if let Some(pool) = self.shared.pools.borrow().get(&target.id()) {
            return Rc::clone(pool);
        }
        if !self.shared.is_swept.replace(true) {
            tokio::task::spawn_local(sweep(Rc::downgrade(&self.shared)));
        }
        let share = target
            .options()
            .connections_max
            .div_ceil(self.shared.workers)
            .max(1);
        let pool = Rc::new(Pool::new(Arc::clone(target), share));
        self.shared
            .pools
            .borrow_mut()
            .insert(target.id(), Rc::clone(&pool));
        pool
    }
}

/// Closes idle connections and forgets targets that no configuration uses any more.
async fn sweep(shared: Weak<Shared>) {
    let mut interval = tokio::time::interval(SWEEP_EVERY);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        let Some(shared) = shared.upgrade() else {
            return;
        };
        shared.pools.borrow_mut().retain(|_, pool| !pool.sweep());
    }
}
