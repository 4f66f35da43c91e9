//! What policies may use beyond the exchange.

use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tidegate_expression::Ambient;

use crate::kind::BoxFuture;
use crate::limiter::{Limiter, LocalLimiter};
use crate::outbound::{CallError, HttpClient, NameResolver, OutboundCall};

/// Capabilities handed to policies; each worker has its own, a simulation hands out others.
#[derive(Clone, Debug)]
pub struct Services {
    /// Time and randomness.
    pub ambient: Arc<dyn Ambient>,
    /// Calls to other systems over HTTP.
    pub http: Rc<dyn HttpClient>,
    /// Addresses of host names.
    pub names: Rc<dyn NameResolver>,
    /// Waiting, and work that outlives the exchange.
    pub tasks: Rc<dyn Tasks>,
    /// Counters of rate limits and quotas, shared by the workers of a node.
    pub limiter: Arc<dyn Limiter>,
    /// Settings of the node that policies read, such as `policy.jwt.issuer.<issuer>.<kid>`.
    pub settings: Arc<BTreeMap<String, String>>,
}

impl Services {
    /// Services without an outside: every call is refused, nothing can be waited for, limits are
    /// counted here.
    #[must_use]
    pub fn isolated(ambient: Arc<dyn Ambient>) -> Self {
        Self {
            ambient,
            http: Rc::new(Isolated),
            names: Rc::new(Isolated),
            tasks: Rc::new(Isolated),
            limiter: Arc::new(LocalLimiter::default()),
            settings: Arc::default(),
        }
    }
}

/// Waiting, and work that outlives the exchange. Implementations bound how much work is under way.
pub trait Tasks: fmt::Debug {
    /// Becomes ready after `duration`.
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()>;

    /// Runs `task` beside the exchange.
    ///
    /// # Errors
    /// Refuses the task when too many are under way.
    fn spawn(&self, task: BoxFuture<'static, ()>) -> Result<(), Overloaded>;
}

/// Too much work is under way beside the exchanges.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many background tasks")]
pub struct Overloaded;

#[derive(Debug)]
struct Isolated;

impl HttpClient for Isolated {
    fn send(
        &self,
        _call: OutboundCall,
    ) -> BoxFuture<'_, Result<http::Response<bytes::Bytes>, CallError>> {
        Box::pin(std::future::ready(Err(CallError::Refused(
            "there is no network".to_owned(),
        ))))
    }
}

impl NameResolver for Isolated {
    fn resolve<'a>(
        &'a self,
        _host: &'a str,
    ) -> BoxFuture<'a, Result<Vec<std::net::IpAddr>, CallError>> {
        Box::pin(std::future::ready(Err(CallError::Refused(
            "there is no network".to_owned(),
        ))))
    }
}

impl Tasks for Isolated {
    fn sleep(&self, _duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(std::future::ready(()))
    }

    fn spawn(&self, _task: BoxFuture<'static, ()>) -> Result<(), Overloaded> {
        Err(Overloaded)
    }
}
