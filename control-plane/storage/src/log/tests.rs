use std::{ops::Range, path::Path, sync::mpsc};

use bytes::Bytes;
use tempfile::TempDir;

use super::{Completion, LogLimits, LogReader, LogStore};
use crate::{Error, LogMark};

fn open(directory: &Path) -> LogStore {
    LogStore::open(directory, LogLimits::default()).unwrap()
}

fn entry(index: u64) -> Bytes {
    Bytes::from(format!("entry {index}"))
}

fn entries(range: Range<u64>) -> Vec<Bytes> {
    range.map(entry).collect()
}

fn ignored() -> Completion {
    Box::new(|| {})
}

/// Does a write and waits until it is durable.
fn durably(write: impl FnOnce(Completion) -> Result<(), Error>) {
    let (sender, receiver) = mpsc::channel();
    write(Box::new(move || sender.send(()).unwrap())).unwrap();
    receiver.recv().unwrap();
}

fn append(log: &mut LogStore, range: Range<u64>) {
    durably(|done| log.append(range.start, entries(range), done));
}

fn purge(log: &mut LogStore, index: u64) {
    durably(|done| {
        log.purge(
            LogMark {
                index,
                id: Bytes::from_static(b"id"),
            },
            done,
        )
    });
}

#[track_caller]
fn check(reader: &LogReader, asked: Range<u64>, expected: Range<u64>) {
    let expected: Vec<_> = expected.map(|index| (index, entry(index))).collect();
    assert_eq!(reader.entries(asked, usize::MAX).unwrap(), expected);
}

#[test]
fn appends_that_wait_together_share_one_fsync() {
    let directory = TempDir::new().unwrap();
    let mut log = open(directory.path());
    let reader = log.reader();
    // The completion of the first append holds the writer thread, so that the others pile up.
    let (release, held) = mpsc::channel::<()>();
    let (reached, holding) = mpsc::channel();
    let hold: Completion = Box::new(move || {
        reached.send(()).unwrap();
        held.recv().unwrap();
    });
    log.append(0, entries(0..1), hold).unwrap();
    holding.recv().unwrap();
    let before = reader.stats();

    let (sender, done) = mpsc::channel();
    for index in 1..101 {
        let sender = sender.clone();
        let durable: Completion = Box::new(move || sender.send(index).unwrap());
        log.append(index, entries(index..index + 1), durable)
            .unwrap();
    }
    release.send(()).unwrap();
    let order: Vec<u64> = done.iter().take(100).collect();

    assert_eq!(order, (1..101).collect::<Vec<_>>());
    let after = reader.stats();
    assert_eq!(after.entries - before.entries, 100);
    assert_eq!(after.syncs - before.syncs, 1);
}

#[test]
fn an_entry_is_readable_before_it_is_durable() {
    let directory = TempDir::new().unwrap();
    let mut log = open(directory.path());
    let (release, held) = mpsc::channel::<()>();
    log.append(0, entries(0..1), Box::new(move || held.recv().unwrap()))
        .unwrap();
    log.append(1, entries(1..3), ignored()).unwrap();
    check(&log.reader(), 0..10, 0..3);
    assert_eq!(log.reader().last().unwrap(), Some((2, entry(2))));
    release.send(()).unwrap();
}

#[test]
fn a_committed_hint_is_seen_at_once_and_needs_no_fsync() {
    let directory = TempDir::new().unwrap();
    let mut log = open(directory.path());
    durably(|done| log.save_committed(Bytes::from_static(b"committed"), done));
    let reader = log.reader();
    let committed = Some(Bytes::from_static(b"committed"));
    assert_eq!(reader.committed(), committed);
    drop(log);
    assert_eq!(reader.stats().syncs, 0);
    drop(reader);
    assert_eq!(open(directory.path()).reader().committed(), committed);
}

#[test]
fn everything_is_there_after_a_restart() {
    let directory = TempDir::new().unwrap();
    let mut log = open(directory.path());
    append(&mut log, 0..10);
    durably(|done| log.save_vote(Bytes::from_static(b"vote"), done));
    purge(&mut log, 3);
    drop(log);

    let reader = open(directory.path()).reader();
    check(&reader, 0..100, 4..10);
    assert_eq!(reader.vote(), Some(Bytes::from_static(b"vote")));
    assert_eq!(reader.purged().map(|mark| mark.index), Some(3));
}

#[test]
fn a_gap_is_refused() {
    let directory = TempDir::new().unwrap();
    let mut log = open(directory.path());
    append(&mut log, 0..2);
    let refused = log.append(3, entries(3..4), ignored());
    assert!(matches!(
        refused,
        Err(Error::Gap {
            expected: 2,
            found: 3
        })
    ));
    check(&log.reader(), 0..10, 0..2);
}

#[test]
fn an_empty_log_may_start_anywhere() {
    let directory = TempDir::new().unwrap();
    let mut log = open(directory.path());
    append(&mut log, 5..8);
    check(&log.reader(), 0..100, 5..8);
    drop(log);
    let mut log = open(directory.path());
    check(&log.reader(), 0..100, 5..8);
    purge(&mut log, 4);
    assert_eq!(log.reader().purged().map(|mark| mark.index), Some(4));
    check(&log.reader(), 0..100, 5..8);
}

#[test]
fn truncated_entries_never_come_back() {
    let directory = TempDir::new().unwrap();
    let mut log = open(directory.path());
    append(&mut log, 0..10);
    durably(|done| log.truncate(4, done));
    check(&log.reader(), 0..100, 0..4);
    let replacement = Bytes::from_static(b"other");
    durably(|done| log.append(4, vec![replacement.clone()], done));
    drop(log);

    let reader = open(directory.path()).reader();
    check(&reader, 0..4, 0..4);
    assert_eq!(
        reader.entries(4..100, usize::MAX).unwrap(),
        vec![(4, replacement)]
    );
}

#[test]
fn a_purge_past_the_end_moves_the_log_behind_it() {
    let directory = TempDir::new().unwrap();
    let mut log = open(directory.path());
    append(&mut log, 0..3);
    purge(&mut log, 9);
    assert_eq!(log.reader().last().unwrap(), None);
    append(&mut log, 10..12);
    drop(log);
    check(&open(directory.path()).reader(), 0..100, 10..12);
}

#[test]
fn a_read_stops_at_its_byte_limit_but_not_before_the_first_entry() {
    let directory = TempDir::new().unwrap();
    let mut log = open(directory.path());
    append(&mut log, 0..5);
    drop(log);
    let mut log = open(directory.path());
    append(&mut log, 5..10);
    let size = entry(0).len();
    let read = |bytes_max| log.reader().entries(0..10, bytes_max).unwrap().len();
    assert_eq!(
        [read(0), read(size), read(3 * size), read(7 * size)],
        [1, 1, 3, 7]
    );
}

#[test]
fn a_full_cache_gives_the_oldest_entries_to_the_disk() {
    let directory = TempDir::new().unwrap();
    let limits = LogLimits {
        cache_bytes_max: 3 * entry(0).len(),
        ..LogLimits::default()
    };
    let mut log = LogStore::open(directory.path(), limits).unwrap();
    append(&mut log, 0..10);
    check(&log.reader(), 2..9, 2..9);
    assert_eq!(log.shared.tail.read().locate(0..10).on_disk, 0..7);
}
