//! When to publish: after a short quiet, or at the latest after a longer wait. Pure.

use std::time::Duration;

use tokio::time::Instant;

/// Quiet after the last change; enough to take in one apply of several documents.
const QUIET: Duration = Duration::from_millis(20);
/// Longest time the first change waits; a stream of changes is published five times per second.
const WAIT_MAX: Duration = Duration::from_millis(200);

/// Collects changes until it is time to publish them together.
#[derive(Debug, Default)]
pub(super) struct Coalescer {
    first: Option<Instant>,
    last: Option<Instant>,
}

impl Coalescer {
    /// Something changed.
    pub(super) fn changed(&mut self, now: Instant) {
        self.first.get_or_insert(now);
        self.last = Some(now);
    }

    /// When to publish; `None` while nothing waits.
    pub(super) fn due(&self) -> Option<Instant> {
        let (first, last) = self.first.zip(self.last)?;
        Some((last + QUIET).min(first + WAIT_MAX))
    }

    /// Forgets what waits, since it is being published.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lone_change_waits_for_quiet_only() {
        let start = Instant::now();
        let mut coalescer = Coalescer::default();
        assert_eq!(coalescer.due(), None);
        coalescer.changed(start);
        assert_eq!(coalescer.due(), Some(start + QUIET));
    }

    #[test]
    fn a_stream_of_changes_is_published_after_the_longest_wait() {
        let start = Instant::now();
        let mut coalescer = Coalescer::default();
        for step in 0..100 {
            coalescer.changed(start + Duration::from_millis(10 * step));
        }
        assert_eq!(coalescer.due(), Some(start + WAIT_MAX));
        coalescer.clear();
        assert_eq!(coalescer.due(), None);
    }
}
