//! Two targets against each other, in alternating order.

use crate::load::{Measured, Target};

/// Everything measured about two targets.
#[derive(Debug)]
pub(crate) struct Comparison {
    pub ours: String,
    pub peer: String,
    pub rounds: Vec<Round>,
}

/// One round: each target ran twice, the mean counts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Round {
    pub ours: Measured,
    pub peer: Measured,
}

impl Comparison {
    pub(crate) fn run(ours: &Target, peer: &Target, rounds: usize) -> anyhow::Result<Self> {
        // Connections, caches and clocks settle before anything counts.
        ours.measure()?;
        peer.measure()?;
        let mut measured = Vec::new();
        for _ in 0..rounds {
            let (a1, b1) = (ours.measure()?, peer.measure()?);
            let (b2, a2) = (peer.measure()?, ours.measure()?);
            measured.push(Round {
                ours: mean(a1, a2),
                peer: mean(b1, b2),
            });
        }
        Ok(Self {
            ours: ours.name.clone(),
            peer: peer.name.clone(),
            rounds: measured,
        })
    }

    /// Ratios ours : peer of one figure, sorted.
    pub(crate) fn ratios(&self, figure: impl Fn(&Measured) -> f64) -> Vec<f64> {
        let ratio = |round: &Round| figure(&round.ours) / figure(&round.peer);
        let mut ratios: Vec<f64> = self.rounds.iter().map(ratio).collect();
        ratios.sort_by(f64::total_cmp);
        ratios
    }

    /// Values of one figure on our side, sorted.
    pub(crate) fn ours(&self, figure: impl Fn(&Measured) -> f64) -> Vec<f64> {
        let mut values: Vec<f64> = self
            .rounds
            .iter()
            .map(|round| figure(&round.ours))
            .collect();
        values.sort_by(f64::total_cmp);
        values
    }

    /// Values of one figure on the peer's side, sorted.
    pub(crate) fn peer(&self, figure: impl Fn(&Measured) -> f64) -> Vec<f64> {
        let mut values: Vec<f64> = self
            .rounds
            .iter()
            .map(|round| figure(&round.peer))
            .collect();
        values.sort_by(f64::total_cmp);
        values
    }
}

/// The middle of sorted values; 0 for none.
pub(crate) fn median(sorted: &[f64]) -> f64 {
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}

fn mean(first: Measured, second: Measured) -> Measured {
    Measured {
        cpu_us: f64::midpoint(first.cpu_us, second.cpu_us),
        per_second: f64::midpoint(first.per_second, second.per_second),
        p99_ms: f64::midpoint(first.p99_ms, second.p99_ms),
    }
}
