//! Orders of the four algorithms.

use rand::{SeedableRng as _, rngs::SmallRng};

use super::{Algorithm, Balancer};

fn picks(algorithm: Algorithm, weights: &[u32], count: usize) -> Vec<usize> {
    let balancer = Balancer::new(algorithm, weights, 7);
    let mut random = SmallRng::seed_from_u64(1);
    (0..count)
        .map_while(|_| balancer.next(&mut random))
        .collect()
}

fn counts(picks: &[usize], endpoints: usize) -> Vec<usize> {
    (0..endpoints)
        .map(|endpoint| picks.iter().filter(|&&pick| pick == endpoint).count())
        .collect()
}

const ALL: [Algorithm; 4] = [
    Algorithm::RoundRobin,
    Algorithm::Random,
    Algorithm::WeightedRoundRobin,
    Algorithm::WeightedRandom,
];

#[test]
fn an_empty_list_has_no_next_endpoint() {
    for algorithm in ALL {
        assert_eq!(picks(algorithm, &[], 3), Vec::<usize>::new());
    }
}

#[test]
fn a_single_endpoint_is_always_next() {
    for algorithm in ALL {
        assert_eq!(picks(algorithm, &[9], 3), [0, 0, 0]);
    }
}

#[test]
fn round_robin_ignores_weights() {
    assert_eq!(
        picks(Algorithm::RoundRobin, &[5, 1, 1], 7),
        [0, 1, 2, 0, 1, 2, 0]
    );
}

#[test]
fn weighted_round_robin_takes_one_unit_from_each_that_has_some_left() {
    for (weights, order) in [
        (&[3, 1][..], &[0, 1, 0, 0, 0, 1, 0, 0][..]),
        (&[1, 3], &[0, 1, 1, 1]),
        (&[2, 0, 3], &[0, 1, 2, 0, 2, 2]),
        (&[1, 1], &[0, 1, 0, 1]),
    ] {
        assert_eq!(
            picks(Algorithm::WeightedRoundRobin, weights, order.len()),
            order
        );
    }
}

#[test]
fn a_weighted_random_cycle_holds_each_weight_exactly() {
    let picks = picks(Algorithm::WeightedRandom, &[5, 2, 1], 8 * 50);
    for cycle in picks.chunks(8) {
        assert_eq!(counts(cycle, 3), [5, 2, 1]);
    }
    assert!(
        picks.chunks(8).any(|cycle| cycle != &picks[..8]),
        "cycles differ"
    );
}

#[test]
fn every_position_of_a_weighted_random_cycle_sees_every_endpoint() {
    let picks = picks(Algorithm::WeightedRandom, &[1, 1, 2], 4 * 4000);
    for position in 0..4 {
        let column: Vec<usize> = picks.iter().skip(position).step_by(4).copied().collect();
        let counts = counts(&column, 3);
        assert!((900..1100).contains(&counts[0]), "{counts:?}");
        assert!((900..1100).contains(&counts[1]), "{counts:?}");
    }
}

#[test]
fn random_reaches_every_endpoint_about_equally() {
    let counts = counts(&picks(Algorithm::Random, &[9, 1, 1], 3000), 3);
    assert!(
        counts.iter().all(|count| (900..1100).contains(count)),
        "{counts:?}"
    );
}

#[test]
fn the_largest_weights_do_not_overflow() {
    for algorithm in ALL {
        assert_eq!(picks(algorithm, &[u32::MAX, u32::MAX], 4).len(), 4);
    }
}
