//! Numbers about the traffic of one edge.
//!
//! Each worker counts into cells of its own, so that the request path touches no cache line another
//! worker writes; a scrape sums the workers up. Labels come from the configuration or from closed
//! sets, never from requests.

mod collect;
#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use http::StatusCode;
use parking_lot::Mutex;
use tidegate_model::ApiId;

use crate::{server::Refusal, upstream::UpstreamError};

/// APIs counted apart per worker; requests of further ones go under [`OTHER_APIS`].
pub const APIS_COUNTED_MAX: usize = 2048;

/// The `api` label of APIs beyond [`APIS_COUNTED_MAX`].
pub const OTHER_APIS: &str = "_other";

/// The `api` label of requests that no API answers.
pub const NO_API: &str = "_none";

/// Upper bounds of the duration buckets in microseconds: 0.5 ms to 30 s, the request timeout.
const DURATION_BOUNDS_US: [u64; 14] = [
    500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000,
    2_500_000, 10_000_000, 30_000_000,
];

/// Names of the status classes; the last is for statuses outside 100–599.
const STATUS_CLASSES: [&str; 6] = ["1xx", "2xx", "3xx", "4xx", "5xx", "other"];

/// A counter with a single writer.
///
/// Because only its worker adds to it, a plain load and store suffice: no locked instruction.
#[derive(Debug, Default)]
struct Tally(AtomicU64);

impl Tally {
    fn add(&self, amount: u64) {
        self.0.store(
            self.0.load(Ordering::Relaxed).wrapping_add(amount),
            Ordering::Relaxed,
        );
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// All metrics of the edge. Register it as a collector; hand each worker a part of its own.
#[derive(Debug, Clone, Default)]
pub struct Metrics {
    workers: Arc<Mutex<Vec<Arc<WorkerMetrics>>>>,
}

impl Metrics {
    /// Makes an empty set.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the part of one worker. Only one thread may count into it.
    #[must_use]
    pub fn worker(&self) -> Arc<WorkerMetrics> {
        let mut workers = self.workers.lock();
        let worker = Arc::new(WorkerMetrics {
            number: workers.len(),
            ..WorkerMetrics::default()
        });
        workers.push(Arc::clone(&worker));
        worker
    }

    /// Requests answered since the start, by all workers.
    #[must_use]
    pub fn requests_total(&self) -> u64 {
        // Every answered request has one duration, so the buckets count them.
        let workers = self.workers.lock();
        workers
            .iter()
            .flat_map(|worker| &worker.durations.buckets)
            .map(Tally::get)
            .sum()
    }
}

/// The counters of one worker.
#[derive(Debug, Default)]
pub struct WorkerMetrics {
    number: usize,
    /// Locked when an API is met for the first time after a change of configuration, and by scrapes.
    apis: Mutex<HashMap<Box<str>, Arc<ApiCounters>>>,
    durations: Durations,
    opened: Tally,
    closed: Tally,
    refused: Mutex<HashMap<&'static str, u64>>,
    upstream_errors: [Tally; UPSTREAM_ERRORS.len()],
    access_log_dropped: Tally,
}

/// Requests of one API, by status class.
#[derive(Debug, Default)]
pub struct ApiCounters([Tally; STATUS_CLASSES.len()]);

#[derive(Debug, Default)]
struct Durations {
    buckets: [Tally; DURATION_BOUNDS_US.len() + 1],
    sum_us: Tally,
}

impl ApiCounters {
    fn count(&self, status: StatusCode) {
        let class = usize::from(status.as_u16() / 100).wrapping_sub(1);
        self.0[class.min(STATUS_CLASSES.len() - 1)].add(1);
    }
}

impl WorkerMetrics {
    /// Which part of the whole this is, from 0.
    #[must_use]
    pub fn number(&self) -> usize {
        self.number
    }

    /// The counters of an API; keep the result, the look-up takes a lock.
    ///
    /// `is_live` tells which APIs still exist: when all places are taken, those of others are freed.
    #[must_use]
    pub fn api(&self, id: &ApiId, is_live: impl Fn(&str) -> bool) -> Arc<ApiCounters> {
        self.counters(id.as_str(), is_live)
    }

    /// The counters of requests that no API answers.
    #[must_use]
    pub fn no_api(&self) -> Arc<ApiCounters> {
        let mut apis = self.apis.lock();
        Arc::clone(apis.entry(NO_API.into()).or_default())
    }

    /// Counts one answered request, or one whose client left before its answer (status 499).
    pub fn answered(&self, api: &ApiCounters, status: StatusCode, duration: Duration) {
        api.count(status);
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let bucket = DURATION_BOUNDS_US.partition_point(|&bound| bound < micros);
        self.durations.buckets[bucket].add(1);
        self.durations.sum_us.add(micros);
    }

    /// Counts a failed attempt to reach an upstream.
    pub fn upstream_failed(&self, error: &UpstreamError) {
        self.upstream_errors[upstream_error_index(error)].add(1);
    }

    /// Counts a message or connection refused before it was routed.
    pub fn refused(&self, reason: Refusal) {
        *self.refused.lock().entry(reason.as_str()).or_default() += 1;
    }

    /// Counts a connection that opened or closed.
    pub fn connection_changed(&self, opened: bool) {
        if opened { &self.opened } else { &self.closed }.add(1);
    }

    /// Counts a record the access log had no room for.
    pub fn access_log_dropped(&self) {
        self.access_log_dropped.add(1);
    }

    fn counters(&self, id: &str, is_live: impl Fn(&str) -> bool) -> Arc<ApiCounters> {
        let mut apis = self.apis.lock();
        if let Some(known) = apis.get(id) {
            return Arc::clone(known);
        }
        if apis.len() >= APIS_COUNTED_MAX {
            apis.retain(|id, _| is_live(id) || matches!(&**id, OTHER_APIS | NO_API));
        }
        let id = if apis.len() >= APIS_COUNTED_MAX {
            OTHER_APIS
        } else {
            id
        };
        Arc::clone(apis.entry(id.into()).or_default())
    }
}

/// Names of the failures of upstream attempts, in the order of [`upstream_error_index`].
const UPSTREAM_ERRORS: [&str; 10] = [
    "resolve",
    "connect",
    "tls",
    "timeout",
    "pool_exhausted",
    "io",
    "closed",
    "protocol",
    "request",
    "request_body",
];

fn upstream_error_index(error: &UpstreamError) -> usize {
    match error {
        UpstreamError::Resolve(_) | UpstreamError::Forbidden(_) => 0,
        UpstreamError::Connect(_) | UpstreamError::Proxy(_) => 1,
        UpstreamError::Tls(_) => 2,
        UpstreamError::Timeout(_) => 3,
        UpstreamError::PoolExhausted { .. } => 4,
        UpstreamError::Io(_) => 5,
        UpstreamError::Closed => 6,
        UpstreamError::Protocol(_) | UpstreamError::Http2(_) => 7,
        UpstreamError::Request(_) => 8,
        UpstreamError::RequestBody(_) => 9,
    }
}
