//! A worker's view of the active configuration.

use std::{cell::OnceCell, sync::Arc};

use http::header::HOST;
use tidegate_policy::ApiFacts;

use crate::{
    compile::{CompiledSnapshot, ServedApi},
    message::RequestParts,
    metrics::{ApiCounters, WorkerMetrics},
};

/// The configuration with what the worker keeps for each API it has met: its counters and its own
/// copies of shared facts.
#[derive(Debug, Default)]
pub(super) struct WorkerSnapshot {
    snapshot: Option<Arc<CompiledSnapshot>>,
    apis: Box<[OnceCell<WorkerApi>]>,
}

#[derive(Debug)]
struct WorkerApi {
    facts: Arc<ApiFacts>,
    context_paths: Box<[Arc<str>]>,
    counters: OnceCell<Arc<ApiCounters>>,
}

/// The API a request is for.
#[derive(Debug)]
pub(super) struct Route<'s> {
    pub(super) served: &'s ServedApi,
    pub(super) snapshot: &'s CompiledSnapshot,
    pub(super) facts: &'s Arc<ApiFacts>,
    pub(super) context_path: &'s Arc<str>,
    counters: &'s OnceCell<Arc<ApiCounters>>,
}

impl WorkerSnapshot {
    pub(super) fn new(snapshot: Option<Arc<CompiledSnapshot>>) -> Self {
        let count = snapshot
            .as_ref()
            .map_or(0, |snapshot| snapshot.apis().len());
        Self {
            snapshot,
            apis: (0..count).map(|_| OnceCell::new()).collect(),
        }
    }

    pub(super) fn snapshot(&self) -> Option<&Arc<CompiledSnapshot>> {
        self.snapshot.as_ref()
    }

    /// Finds the API for a request's host and path on the server that took its connection.
    pub(super) fn route(&self, request: &RequestParts, server_id: &str) -> Option<Route<'_>> {
        let snapshot = self.snapshot.as_deref()?;
        let host = request.headers.find_text(&HOST);
        let router = snapshot.routers().of(server_id);
        let found = router.find(host, request.uri.path())?;
        let index = found.target as usize;
        let served = snapshot.apis().get(index)?;
        let mine = self.apis.get(index)?.get_or_init(|| WorkerApi::new(served));
        let context_path = mine
            .context_paths
            .iter()
            .find(|path| ***path == *found.context_path)?;
        let (facts, counters) = (&mine.facts, &mine.counters);
        Some(Route {
            served,
            snapshot,
            facts,
            context_path,
            counters,
        })
    }

    /// The counters of the route's API.
    pub(super) fn counters<'s>(
        &self,
        route: &Route<'s>,
        metrics: &WorkerMetrics,
    ) -> &'s Arc<ApiCounters> {
        route.counters.get_or_init(|| {
            metrics.api(&route.served.api.id, |id| {
                self.snapshot
                    .as_ref()
                    .is_some_and(|snapshot| snapshot.serves(id))
            })
        })
    }
}

impl WorkerApi {
    fn new(served: &ServedApi) -> Self {
        let paths = served
            .api
            .acceptors
            .iter()
            .map(|acceptor| Arc::from(acceptor.path.as_str()));
        Self {
            facts: Arc::new(ApiFacts::clone(&served.facts)),
            context_paths: paths.collect(),
            counters: OnceCell::new(),
        }
    }
}
