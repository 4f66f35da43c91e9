//! Numbers of one plan or one endpoint. They live with it, so that nothing is looked up while a request is
//! served, and begin anew when its API is deployed anew.
//!
//! Workers count into shards, so that they rarely write to the same cache line.

mod report;

use std::{
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use http::StatusCode;

pub use self::report::TrafficMetrics;

/// Shards; further workers share them.
const SHARDS: usize = 8;

/// Status classes `1xx` to `5xx`, other statuses, and no answer.
pub(crate) const OUTCOMES: [&str; 7] = ["1xx", "2xx", "3xx", "4xx", "5xx", "other", "none"];

const OTHER: usize = 5;
const NO_ANSWER: usize = 6;

/// How often something answered, with what, and how long it took. Takes memory from the first use on.
#[derive(Debug, Default)]
pub struct Traffic(OnceLock<Box<[Shard; SHARDS]>>);

/// One cache line.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Shard {
    outcomes: [AtomicU64; OUTCOMES.len()],
    micros: AtomicU64,
}

/// What was counted so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) outcomes: [u64; OUTCOMES.len()],
    pub(crate) micros: u64,
}

impl Traffic {
    /// Counts one answer, or that none came, on the worker of that number.
    pub(crate) fn count(&self, worker: usize, status: Option<StatusCode>, duration: Duration) {
        let shards = self.0.get_or_init(Box::default);
        let shard = &shards[worker % SHARDS];
        let outcome = status.map_or(NO_ANSWER, |status| {
            usize::from(status.as_u16() / 100)
                .wrapping_sub(1)
                .min(OTHER)
        });
        shard.outcomes[outcome].fetch_add(1, Ordering::Relaxed);
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        shard.micros.fetch_add(micros, Ordering::Relaxed);
    }

    /// The sum over all workers; `None` if nothing was counted yet.
    pub(crate) fn counts(&self) -> Option<Counts> {
        let mut counts = Counts::default();
        for shard in self.0.get()?.iter() {
            for (sum, outcome) in counts.outcomes.iter_mut().zip(&shard.outcomes) {
                *sum += outcome.load(Ordering::Relaxed);
            }
            let micros = shard.micros.load(Ordering::Relaxed);
            counts.micros = counts.micros.saturating_add(micros);
        }
        Some(counts)
    }
}

impl Counts {
    pub(crate) fn add(&mut self, other: Self) {
        for (sum, outcome) in self.outcomes.iter_mut().zip(other.outcomes) {
            *sum += outcome;
        }
        self.micros = self.micros.saturating_add(other.micros);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_of_all_workers_are_summed_up() {
        let traffic = Traffic::default();
        assert_eq!(traffic.counts(), None);
        let took = Duration::from_micros(10);
        for (worker, status) in [
            (0, Some(StatusCode::OK)),
            (1, Some(StatusCode::NO_CONTENT)),
            (SHARDS, Some(StatusCode::BAD_GATEWAY)),
            (99, StatusCode::from_u16(999).ok()),
            (0, None),
        ] {
            traffic.count(worker, status, took);
        }
        let expected = Counts {
            outcomes: [0, 2, 0, 0, 1, 1, 1],
            micros: 50,
        };
        assert_eq!(traffic.counts(), Some(expected));
    }
}
