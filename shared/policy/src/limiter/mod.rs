//! Counting what a client may do in a window of time. Source: `gravitee-v4.md` §7.1.

mod local;
#[cfg(test)]
mod tests;
mod window;

use std::fmt;

pub use local::LocalLimiter;
pub use window::Window;

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
