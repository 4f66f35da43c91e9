//! Closed forms of the weighted orders, so that a shared counter is all the state they need.

/// The weighted round-robin order: in each round every endpoint with weight left gives one unit.
#[derive(Debug)]
pub(super) struct Rotation {
    /// Stretches of rounds with the same members, in order.
    stretches: Box<[Stretch]>,
    length: u64,
}

#[derive(Debug)]
struct Stretch {
    /// Position in the cycle behind the stretch.
    end: u64,
    /// Position in the cycle of its first pick.
    start: u64,
    members: Box<[usize]>,
}

impl Rotation {
    /// Weights are at least 1.
    pub(super) fn new(weights: &[u64]) -> Self {
        let mut levels = weights.to_vec();
        levels.sort_unstable();
        levels.dedup();
        let mut stretches = Vec::with_capacity(levels.len());
        let (mut floor, mut start) = (0, 0);
        for level in levels {
            let members: Box<[usize]> = (0..weights.len())
                .filter(|&endpoint| weights[endpoint] >= level)
                .collect();
            let end = start + (level - floor) * members.len() as u64;
            stretches.push(Stretch {
                end,
                start,
                members,
            });
            (floor, start) = (level, end);
        }
        Self {
            stretches: stretches.into(),
            length: start,
        }
    }

    /// Picks in one cycle: the sum of the weights.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// The endpoint at a position below [`Rotation::length`].
    pub(super) fn at(&self, position: u64) -> usize {
        let behind = self
            .stretches
            .partition_point(|stretch| stretch.end <= position);
        self.stretches.get(behind).map_or(0, |stretch| {
            let turn = (position - stretch.start) % stretch.members.len() as u64;
            stretch.members[usize::try_from(turn).unwrap_or(0)]
        })
    }
}

/// Rounds of the shuffle. Six times the bits of the domain mix it well (Hoang, Morris, Rogaway,
/// "An Enciphering Scheme Based on a Card Shuffle", 2012); 48 covers cycles of 256, and longer ones
/// only lose evenness nobody could see.
const SHUFFLE_ROUNDS: u64 = 48;

/// Where `position` of `0..length` lands in a pseudo-random permutation chosen by `key`.
///
/// Swap-or-not: each round pairs the positions up and swaps a pair on a keyed coin toss, so one
/// position can be followed without shuffling the others.
pub(super) fn shuffled(position: u64, length: u64, key: u64) -> u64 {
    (0..SHUFFLE_ROUNDS).fold(position, |position, round| {
        let round_key = mixed(key ^ mixed(round + 1));
        let partner = (round_key % length + length - position) % length;
        let toss = mixed(round_key ^ position.max(partner));
        if toss & 1 == 1 { partner } else { position }
    })
}

/// The finalizer of SplitMix64: spreads every input bit over the output.
fn mixed(value: u64) -> u64 {
    let value = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ (value >> 31)
}
