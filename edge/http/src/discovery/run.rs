//! The task of one group: asks, publishes, backs off.

use std::{cell::Cell, rc::Rc, sync::Arc, time::Duration};

use rand::Rng as _;
use tokio::time::Instant;

use super::{
    Discovery,
    state::{Change, described},
};
use crate::upstream::UpstreamPools;

/// Shortest time between two answers: what changes all the time is looked at this often.
const ANSWERS_APART: Duration = Duration::from_millis(100);

/// Wait after the first failure; it doubles with each further one.
const BACKOFF_MIN: Duration = Duration::from_millis(500);

/// Longest wait: a source that is back is noticed within this time.
const BACKOFF_MAX: Duration = Duration::from_secs(30);

/// Follows the source of `discovery` until it is dropped. Sets `changed` when endpoints come or go.
pub(crate) async fn run(
    discovery: Arc<Discovery>,
    api: String,
    group: String,
    pools: UpstreamPools,
    changed: Rc<Cell<bool>>,
) {
    let mut provider = discovery.source().provider(&pools);
    let kind = discovery.source().kind();
    let mut failures = 0_u32;
    loop {
        let begun = Instant::now();
        match provider.next().await {
            Ok(instances) => {
                let was_failing = failures > 0;
                failures = 0;
                let Change {
                    added,
                    removed,
                    is_changed,
                    left_out,
                } = discovery.publish(instances);
                if is_changed || was_failing {
                    tracing::info!(api, group, kind, added, removed, "endpoints discovered");
                }
                if left_out > 0 && is_changed {
                    tracing::warn!(api, group, kind, left_out, "discovered endpoints left out");
                }
                if is_changed {
                    changed.set(true);
                }
                tokio::time::sleep_until(begun + ANSWERS_APART).await;
            }
            Err(error) => {
                let cause = described(&error);
                if failures == 0 {
                    tracing::warn!(api, group, kind, cause, "discovery failed");
                } else {
                    tracing::debug!(api, group, kind, cause, failures, "discovery failed again");
                }
                discovery.failed(cause);
                tokio::time::sleep(backoff(failures, rand::rng().random())).await;
                failures = failures.saturating_add(1);
            }
        }
    }
}

/// The wait after failure number `failures`; `chance` spreads it over its upper half, so that edges that
/// lost a source together do not come back together.
fn backoff(failures: u32, chance: f64) -> Duration {
    let full = BACKOFF_MIN.saturating_mul(1 << failures.min(10));
    full.min(BACKOFF_MAX)
        .mul_f64(0.5 + chance.clamp(0.0, 1.0) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_limit_and_are_spread() {
        for (failures, least, most) in [
            (0, 250, 500),
            (1, 500, 1000),
            (5, 8000, 16_000),
            (6, 15_000, 30_000),
            (u32::MAX, 15_000, 30_000),
        ] {
            assert_eq!(backoff(failures, 0.0), Duration::from_millis(least));
            assert_eq!(backoff(failures, 1.0), Duration::from_millis(most));
        }
    }
}
