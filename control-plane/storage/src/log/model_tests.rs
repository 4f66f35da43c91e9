//! The log against a plain vector, with random operations and restarts.

use std::sync::mpsc;

use bytes::Bytes;
use proptest::prelude::*;
use tempfile::TempDir;

use super::{Completion, LogLimits, LogStore};
use crate::LogMark;

#[derive(Debug, Clone)]
enum Step {
    Append(u8),
    Truncate(u8),
    Purge(u8),
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1..20_u8).prop_map(Step::Append),
        2 => any::<u8>().prop_map(Step::Truncate),
        2 => any::<u8>().prop_map(Step::Purge),
        1 => Just(Step::Restart),
    ]
}

/// What the log must contain: entries from `start` on.
#[derive(Default)]
struct Model {
    start: u64,
    entries: Vec<Bytes>,
}

impl Model {
    fn next(&self) -> u64 {
        self.start + self.entries.len() as u64
    }

    /// Maps a random byte to an index of the log, or one just behind it.
    fn pick(&self, random: u8) -> u64 {
        self.start + u64::from(random) % (self.entries.len() as u64 + 1)
    }
}

fn nothing() -> Completion {
    Box::new(|| {})
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn reads_equal_a_plain_vector(steps in proptest::collection::vec(step(), 1..40)) {
        let directory = TempDir::new().unwrap();
        // A tiny cache makes reads cross from disk to memory.
        let limits = LogLimits { cache_bytes_max: 100, ..LogLimits::default() };
        let mut log = LogStore::open(directory.path(), limits).unwrap();
        let mut model = Model::default();
        for (number, step) in steps.into_iter().enumerate() {
            match step {
                Step::Append(count) => {
                    let new: Vec<_> =
                        (0..count).map(|each| Bytes::from(format!("{number}/{each}"))).collect();
                    log.append(model.next(), new.clone(), nothing()).unwrap();
                    model.entries.extend(new);
                }
                Step::Truncate(random) => {
                    let from = model.pick(random);
                    log.truncate(from, nothing()).unwrap();
                    model.entries.truncate(usize::try_from(from - model.start).unwrap());
                }
                Step::Purge(random) => {
                    let index = model.pick(random);
                    log.purge(LogMark { index, id: Bytes::new() }, nothing()).unwrap();
                    let gone = usize::try_from(index + 1 - model.start).unwrap();
                    model.entries.drain(..gone.min(model.entries.len()));
                    model.start = index + 1;
                }
                Step::Restart => {
                    drop(log);
                    log = LogStore::open(directory.path(), limits).unwrap();
                }
            }
            let expected: Vec<_> = (model.start..).zip(model.entries.iter().cloned()).collect();
            prop_assert_eq!(log.reader().entries(0..u64::MAX, usize::MAX).unwrap(), expected);
        }
        let (sender, done) = mpsc::channel();
        log.append(model.next(), Vec::new(), Box::new(move || sender.send(()).unwrap())).unwrap();
        done.recv().unwrap();
    }
}
