//! Health of endpoints: what checks found, shared by all workers.
//! Source: `gravitee-v4.md` §1.4.

mod check;
mod report;
mod scope;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};

pub(crate) use self::check::CheckTemplate;
pub use self::{
    check::HealthCheck,
    report::{EndpointReport, HealthMetrics, report},
};

/// What is known of an endpoint. Only [`HealthStatus::Down`] keeps requests away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum HealthStatus {
    /// Alive; every endpoint begins so.
    Up,
    /// The last checks failed, too few to give it up.
    TransitionallyDown,
    /// Given up.
    Down,
    /// Given up, and the last checks succeeded, too few to trust it.
    TransitionallyUp,
}

impl HealthStatus {
    /// As people and metrics read it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Up => "UP",
            Self::TransitionallyDown => "TRANSITIONALLY_DOWN",
            Self::Down => "DOWN",
            Self::TransitionallyUp => "TRANSITIONALLY_UP",
        }
    }

    fn of(number: u8) -> Self {
        match number {
            1 => Self::TransitionallyDown,
            2 => Self::Down,
            3 => Self::TransitionallyUp,
            _ => Self::Up,
        }
    }
}

/// The health of one endpoint, with the check that finds it out. One task writes, all workers read.
#[derive(Debug)]
pub struct CheckedHealth {
    /// How it is found out.
    pub check: HealthCheck,
    status: AtomicU8,
    /// Equal results in a row since the status changed.
    streak: AtomicU32,
}

impl CheckedHealth {
    /// An endpoint that was not checked yet counts as alive.
    #[must_use]
    pub fn new(check: HealthCheck) -> Self {
        Self {
            check,
            status: AtomicU8::new(HealthStatus::Up as u8),
            streak: AtomicU32::new(0),
        }
    }

    /// What the last checks found.
    #[must_use]
    pub fn status(&self) -> HealthStatus {
        HealthStatus::of(self.status.load(Ordering::Relaxed))
    }

    /// Whether requests may go there. A fallen endpoint whose first check succeeds is tried again, as in
    /// the reference, where only `DOWN` removes it.
    pub(crate) fn is_usable(&self) -> bool {
        self.status() != HealthStatus::Down
    }

    /// Takes a result; returns the status before and after it. Call it from one task only.
    pub(crate) fn record(&self, is_success: bool) -> (HealthStatus, HealthStatus) {
        let before = self.status();
        let streak = self.streak.load(Ordering::Relaxed) + 1;
        let (after, streak) = match (before, is_success) {
            (HealthStatus::Up, true) => (HealthStatus::Up, 0),
            (HealthStatus::Down, false) => (HealthStatus::Down, 0),
            (HealthStatus::TransitionallyDown, true) => (HealthStatus::Up, 0),
            (HealthStatus::TransitionallyUp, false) => (HealthStatus::Down, 0),
            (HealthStatus::Up | HealthStatus::TransitionallyDown, false) => {
                if streak >= self.check.failure_threshold {
                    (HealthStatus::Down, 0)
                } else {
                    (HealthStatus::TransitionallyDown, streak)
                }
            }
            (HealthStatus::Down | HealthStatus::TransitionallyUp, true) => {
                if streak >= self.check.success_threshold {
                    (HealthStatus::Up, 0)
                } else {
                    (HealthStatus::TransitionallyUp, streak)
                }
            }
        };
        self.streak.store(streak, Ordering::Relaxed);
        self.status.store(after as u8, Ordering::Relaxed);
        (before, after)
    }
}
