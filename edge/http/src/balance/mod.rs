//! Load balancing: which endpoint of a group is next.
//!
//! A balancer's position belongs to the whole edge, so all workers share it through one atomic; a
//! list of one endpoint needs none. A new endpoint list is a new balancer that starts over.

mod cycle;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicU64, Ordering};

use rand::RngCore;

use cycle::{Rotation, shuffled};

/// How endpoints are picked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// One after the other, in definition order.
    RoundRobin,
    /// Any, with equal chance.
    Random,
    /// Rounds over the endpoints that have weight left: 3:1 gives A B A A.
    WeightedRoundRobin,
    /// Any, without replacement: a cycle as long as the sum of weights holds each weight exactly.
    WeightedRandom,
}

/// Picks positions in a list of endpoints. Safe to share between workers.
#[derive(Debug)]
pub struct Balancer {
    kind: Kind,
    position: AtomicU64,
}

#[derive(Debug)]
enum Kind {
    Empty,
    Single,
    RoundRobin {
        count: u64,
    },
    Random {
        count: u64,
    },
    WeightedRoundRobin(Rotation),
    /// Running sums of the weights; the last is the length of a cycle.
    WeightedRandom {
        sums: Box<[u64]>,
        seed: u64,
    },
}

impl Balancer {
    /// Makes a balancer over as many endpoints as there are weights; a weight of 0 counts as 1.
    ///
    /// `seed` makes the cycles of [`Algorithm::WeightedRandom`] differ between edges.
    #[must_use]
    pub fn new(algorithm: Algorithm, weights: &[u32], seed: u64) -> Self {
        let count = weights.len() as u64;
        let weights = weights.iter().map(|&weight| u64::from(weight.max(1)));
        let kind = match (count, algorithm) {
            (0, _) => Kind::Empty,
            (1, _) => Kind::Single,
            (_, Algorithm::RoundRobin) => Kind::RoundRobin { count },
            (_, Algorithm::Random) => Kind::Random { count },
            (_, Algorithm::WeightedRoundRobin) => {
                Kind::WeightedRoundRobin(Rotation::new(&weights.collect::<Vec<_>>()))
            }
            (_, Algorithm::WeightedRandom) => {
                let mut sum = 0;
                let sums = weights.map(|weight| {
                    sum += weight;
                    sum
                });
                Kind::WeightedRandom {
                    sums: sums.collect(),
                    seed,
                }
            }
        };
        Self {
            kind,
            position: AtomicU64::new(0),
        }
    }

    /// The next endpoint's position in the list; `None` if the list is empty.
    pub fn next(&self, random: &mut impl RngCore) -> Option<usize> {
        match &self.kind {
            Kind::Empty => None,
            Kind::Single => Some(0),
            Kind::RoundRobin { count } => Some(index(self.advance() % count)),
            Kind::Random { count } => Some(index(scaled(random.next_u64(), *count))),
            Kind::WeightedRoundRobin(rotation) => {
                Some(rotation.at(self.advance() % rotation.length()))
            }
            Kind::WeightedRandom { sums, seed } => {
                let length = *sums.last()?;
                let position = self.advance();
                let ticket = shuffled(position % length, length, seed ^ (position / length));
                Some(sums.partition_point(|&sum| sum <= ticket))
            }
        }
    }

    fn advance(&self) -> u64 {
        self.position.fetch_add(1, Ordering::Relaxed)
    }
}

/// Maps a uniform 64-bit number to `0..count` (Lemire's multiply-shift).
fn scaled(random: u64, count: u64) -> u64 {
    let product = u128::from(random) * u128::from(count);
    u64::try_from(product >> 64).unwrap_or(0)
}

fn index(position: u64) -> usize {
    usize::try_from(position).unwrap_or(0)
}
