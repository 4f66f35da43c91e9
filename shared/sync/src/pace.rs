//! When to beat and how often to acknowledge: pure pacing from the caller's clock.

use crate::limits::{ACKS_PER_SECOND, dead_after_ms};

/// Keeps the beats of one side and notices the silence of the other.
#[derive(Debug)]
pub(crate) struct BeatPace {
    beat_ms: u32,
    seed: u64,
    next_ms: u64,
    heard_ms: u64,
}

impl BeatPace {
    /// `seed` spreads the beats of many peers; it need not be secret.
    pub(crate) fn new(beat_ms: u32, seed: u64, now_ms: u64) -> Self {
        let mut pace = Self {
            beat_ms: beat_ms.max(1),
            seed,
            next_ms: now_ms,
            heard_ms: now_ms,
        };
        pace.schedule(now_ms);
        pace
    }

    pub(crate) fn heard(&mut self, now_ms: u64) {
        self.heard_ms = self.heard_ms.max(now_ms);
    }

    pub(crate) fn peer_is_dead(&self, now_ms: u64) -> bool {
        now_ms.saturating_sub(self.heard_ms) > dead_after_ms(self.beat_ms)
    }

    /// True when a beat is due; the next one is then scheduled.
    pub(crate) fn due(&mut self, now_ms: u64) -> bool {
        let due = now_ms >= self.next_ms;
        if due {
            self.schedule(now_ms);
        }
        due
    }

    pub(crate) fn deadline_ms(&self) -> u64 {
        self.next_ms
            .min(self.heard_ms + dead_after_ms(self.beat_ms) + 1)
    }

    /// The interval varies by a fifth so that thousands of peers do not beat in step.
    fn schedule(&mut self, now_ms: u64) {
        self.seed = self
            .seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let base = u64::from(self.beat_ms);
        let spread = base * 2 / 5;
        let offset = if spread == 0 {
            0
        } else {
            (self.seed >> 33) % (spread + 1)
        };
        self.next_ms = now_ms + (base * 4 / 5 + offset).max(1);
    }
}

/// A token bucket of [`ACKS_PER_SECOND`].
#[derive(Debug)]
pub(crate) struct AckPace {
    /// Thousandths of an acknowledgement.
    tokens: u64,
    refilled_ms: u64,
}

const FULL: u64 = ACKS_PER_SECOND as u64 * 1000;

impl AckPace {
    pub(crate) fn new(now_ms: u64) -> Self {
        Self {
            tokens: FULL,
            refilled_ms: now_ms,
        }
    }

    pub(crate) fn take(&mut self, now_ms: u64) -> bool {
        let elapsed = now_ms.saturating_sub(self.refilled_ms);
        self.tokens = self
            .tokens
            .saturating_add(elapsed * u64::from(ACKS_PER_SECOND))
            .min(FULL);
        self.refilled_ms = self.refilled_ms.max(now_ms);
        let allowed = self.tokens >= 1000;
        if allowed {
            self.tokens -= 1000;
        }
        allowed
    }

    /// When the next acknowledgement is allowed.
    pub(crate) fn ready_ms(&self) -> u64 {
        self.refilled_ms
            + 1000_u64
                .saturating_sub(self.tokens)
                .div_ceil(u64::from(ACKS_PER_SECOND))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beats_stay_within_a_fifth_of_the_interval() {
        let mut pace = BeatPace::new(10_000, 7, 0);
        let mut now = 0;
        for _ in 0..200 {
            let next = pace.next_ms;
            assert!((8_000..=12_000).contains(&(next - now)), "{}", next - now);
            assert!(!pace.due(next - 1));
            assert!(pace.due(next));
            now = next;
        }
    }

    #[test]
    fn a_peer_is_dead_after_two_and_a_half_silent_beats() {
        let mut pace = BeatPace::new(1_000, 1, 0);
        assert!(!pace.peer_is_dead(2_500));
        assert!(pace.peer_is_dead(2_501));
        pace.heard(2_000);
        assert!(!pace.peer_is_dead(4_500));
    }

    #[test]
    fn acknowledgements_are_limited_to_five_per_second() {
        let mut pace = AckPace::new(0);
        let sent = (0..10_000).filter(|now| pace.take(*now)).count();
        assert!((50..=55).contains(&sent), "{sent}");
    }

    #[test]
    fn ready_time_is_when_the_next_one_is_allowed() {
        let mut pace = AckPace::new(0);
        while pace.take(0) {}
        let ready = pace.ready_ms();
        assert!(!pace.take(ready - 1));
        assert!(pace.take(ready));
    }
}
