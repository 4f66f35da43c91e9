//! Counting what a client may do in a window of time. Source: `gravitee-v4.md` §7.1.

use std::collections::HashMap;
use std::fmt;
use std::sync::Mutex;

use crate::kind::BoxFuture;

/// Counts against limits. One per node: its workers share the counters.
pub trait Limiter: Send + Sync + fmt::Debug {
    /// Adds `weight` to the counter of a key, opening its window if there is none, and compares.
    ///
    /// Rejected takes count too.
    fn take(&self, request: &LimitRequest<'_>) -> Take;
}

/// What is counted and compared.
#[derive(Clone, Copy, Debug)]
pub struct LimitRequest<'a> {
    /// Key of the counter, its kind included.
    pub key: &'a str,
    /// Most that fits in a window.
    pub limit: u64,
    /// Length of the window, which the first take opens.
    pub window: Window,
    /// How much this request counts.
    pub weight: u64,
    /// Now, in milliseconds since the Unix epoch.
    pub now_ms: u64,
    /// Whether the policy's configuration asks for the merge in the background (`async`).
    pub is_async: bool,
}

/// The length of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Window {
    /// A fixed number of milliseconds.
    Millis(u64),
    /// Calendar months of the node's time zone, from the instant of the first take.
    Months(u32),
}

/// The answer to a take: at once, or when an owner elsewhere has decided.
pub enum Take {
    /// Decided here.
    Decided(Decision),
    /// Decided elsewhere.
    Waiting(BoxFuture<'static, Result<Decision, LimiterUnavailable>>),
}

impl fmt::Debug for Take {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Decided(decision) => f.debug_tuple("Decided").field(decision).finish(),
            Self::Waiting(_) => f.write_str("Waiting(..)"),
        }
    }
}

/// Where a counter stands after a take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Whether the counter, this take included, is within the limit.
    pub is_allowed: bool,
    /// The counter with this take.
    pub count: u64,
    /// The end of the window in milliseconds since the Unix epoch.
    pub reset_ms: u64,
}

/// Nobody could decide in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the counter cannot be reached")]
pub struct LimiterUnavailable;

impl Window {
    /// Returns the end of a window that opens at `now_ms`, or `None` if it lies beyond what a clock can say.
    #[must_use]
    pub fn end_ms(self, now_ms: u64) -> Option<u64> {
        const DAY_MS: u64 = 86_400_000;
        match self {
            Self::Millis(length) => now_ms.checked_add(length),
            // Replaced where a calendar is known: no month is longer.
            Self::Months(months) => now_ms.checked_add(u64::from(months).checked_mul(31 * DAY_MS)?),
        }
    }
}

/// Counters in one place, for tests and single nodes.
#[derive(Debug, Default)]
pub struct LocalLimiter {
    counters: Mutex<HashMap<String, (u64, u64)>>,
}

impl Limiter for LocalLimiter {
    fn take(&self, request: &LimitRequest<'_>) -> Take {
        let mut counters = self
            .counters
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        let opened = || (0, request.window.end_ms(request.now_ms).unwrap_or(u64::MAX));
        let (count, reset_ms) = counters
            .entry(request.key.to_owned())
            .or_insert_with(opened);
        if *reset_ms <= request.now_ms {
            (*count, *reset_ms) = opened();
        }
        *count = count.saturating_add(request.weight);
        Take::Decided(Decision {
            is_allowed: *count <= request.limit,
            count: *count,
            reset_ms: *reset_ms,
        })
    }
}
