//! How much the state keeps. Part of the replicated rules: a change needs a new feature level.

/// Results of transactions kept for replay, newest first. At 1,000 writes a second a retry has 100 s.
pub const IDEMPOTENCY_RECORDS_MAX: u64 = 100_000;
/// Events kept for watchers that resume.
pub const EVENTS_MAX: u64 = 100_000;
/// Deployments kept per API. Older ones disappear from history; the live one is always the newest.
pub const DEPLOYMENTS_PER_API_MAX: u64 = 500;
/// Refusals kept per deployment: the newest of each edge, the newest edges.
pub const REFUSALS_PER_DEPLOYMENT_MAX: usize = 32;
/// Views per environment. Each tag set of an edge is one.
pub const VIEWS_PER_ENVIRONMENT_MAX: usize = 1_000;

/// Entries one transaction removes beyond those it adds, should a bound shrink; keeps each batch small.
pub(crate) const PRUNE_BATCH: u64 = 64;
/// Entries read at once when a rule walks an index.
pub(crate) const SCAN_PAGE: usize = 512;

/// The bounds in force; tests use smaller ones.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) idempotency_records: u64,
    pub(crate) events: u64,
    pub(crate) deployments_per_api: u64,
}

impl Bounds {
    pub(crate) const REPLICATED: Bounds = Bounds {
        idempotency_records: IDEMPOTENCY_RECORDS_MAX,
        events: EVENTS_MAX,
        deployments_per_api: DEPLOYMENTS_PER_API_MAX,
    };
}
