//! Addresses of names that policies ask for.

use std::{cell::RefCell, collections::HashMap, net::IpAddr, rc::Rc, time::Duration};

use tidegate_policy::{BoxFuture, CallError, NameResolver};

use crate::upstream::Resolver;

/// Names whose answers are kept; requests may bring any number of them.
const NAMES_MAX: usize = 1024;

/// Time for one lookup: the system's resolver would try for half a minute.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(5);

/// Looks names up as the endpoints' connections do and keeps answers as long.
#[derive(Debug, Default)]
pub(super) struct CachedNames {
    known: RefCell<HashMap<Box<str>, Rc<Resolver>, ahash::RandomState>>,
}

impl CachedNames {
    fn resolver(&self, host: &str) -> Rc<Resolver> {
        let mut known = self.known.borrow_mut();
        if let Some(resolver) = known.get(host) {
            return Rc::clone(resolver);
        }
        if known.len() >= NAMES_MAX {
            // Answers live for seconds: starting over costs one lookup per name.
            known.clear();
        }
        let resolver = Rc::new(Resolver::default());
        known.insert(host.into(), Rc::clone(&resolver));
        resolver
    }
}

impl NameResolver for CachedNames {
    fn resolve<'a>(&'a self, host: &'a str) -> BoxFuture<'a, Result<Vec<IpAddr>, CallError>> {
        Box::pin(async move {
            let resolver = self.resolver(host);
            let lookup = tokio::time::timeout(LOOKUP_TIMEOUT, resolver.addresses(host, 0));
            match lookup.await {
                Err(_elapsed) => Err(CallError::Timeout),
                Ok(Err(_unknown)) => Err(CallError::UnknownHost(host.to_owned())),
                Ok(Ok(found)) => Ok(found.into_iter().map(|address| address.ip()).collect()),
            }
        })
    }
}
