//! Retries on slow or failing endpoints, guarded by a circuit breaker.

use crate::read::Fields;

/// Failover settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failover {
    /// Attempts after the first.
    pub max_retries: u64,
    /// An attempt slower than this, in milliseconds, has failed.
    pub slow_call_ms: u64,
    /// How long the breaker stays open, in milliseconds.
    pub open_state_ms: u64,
    /// Failures in a row that open the breaker.
    pub max_failures: u64,
    /// One breaker per subscription instead of one per API.
    pub per_subscription: bool,
}

pub(super) fn read(fields: &mut Fields<'_, '_>) -> Option<Failover> {
    let value = fields.value("failover")?;
    let mut failover = Fields::of(value, fields.path_of("failover"), fields.report())?;
    let enabled = failover.flag("enabled", false);
    let read = Failover {
        max_retries: failover.count("maxRetries", 2),
        slow_call_ms: failover.count("slowCallDuration", 2000),
        open_state_ms: failover.count("openStateDuration", 10_000),
        max_failures: failover.count("maxFailures", 5),
        per_subscription: failover.flag("perSubscription", true),
    };
    failover.finish();
    enabled.then_some(read)
}
