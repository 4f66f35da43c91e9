use std::path::Path;

use bytes::Bytes;
use tempfile::TempDir;
use tidegate_state::{StateReader, Table, Write};

use super::{Commit, StateDb};
use crate::LogMark;

fn open(directory: &Path) -> StateDb {
    StateDb::open(directory).unwrap()
}

fn mark(index: u64) -> LogMark {
    LogMark {
        index,
        id: Bytes::from(format!("id {index}")),
    }
}

fn put(key: &str, value: &str) -> Write {
    let (key, value) = (Bytes::from(key.to_owned()), Bytes::from(value.to_owned()));
    Write {
        table: Table::Resource,
        key,
        value: Some(value),
    }
}

fn commit(state: &StateDb, index: u64, writes: &[Write]) {
    let membership = Some(b"members".as_slice());
    state
        .commit(Commit {
            writes,
            applied: &mark(index),
            membership,
        })
        .unwrap();
}

fn value(reader: &dyn StateReader, key: &str) -> Option<Bytes> {
    reader.get(Table::Resource, key.as_bytes()).unwrap()
}

#[test]
fn data_position_and_membership_are_there_after_a_restart() {
    let directory = TempDir::new().unwrap();
    let state = open(directory.path());
    assert_eq!(state.applied().unwrap(), None);
    commit(&state, 7, &[put("a", "1")]);
    drop(state);

    let state = open(directory.path());
    assert_eq!(value(&state, "a"), Some(Bytes::from_static(b"1")));
    assert_eq!(state.applied().unwrap(), Some(mark(7)));
    assert_eq!(
        state.membership().unwrap(),
        Some(Bytes::from_static(b"members"))
    );
    assert_eq!(state.sync().unwrap(), Some(mark(7)));
}

#[test]
fn a_view_keeps_its_moment() {
    let directory = TempDir::new().unwrap();
    let state = open(directory.path());
    commit(&state, 1, &[put("a", "old"), put("b", "old")]);
    let view = state.snapshot();
    let deletion = Write {
        value: None,
        ..put("b", "")
    };
    commit(&state, 2, &[put("a", "new"), deletion]);

    assert_eq!(value(&view, "a"), Some(Bytes::from_static(b"old")));
    assert_eq!(value(&view, "b"), Some(Bytes::from_static(b"old")));
    assert_eq!(view.applied().unwrap(), Some(mark(1)));
    assert_eq!(value(&state, "a"), Some(Bytes::from_static(b"new")));
    assert_eq!(value(&state, "b"), None);
}

#[test]
fn scans_are_ordered_and_bounded_by_prefix_cursor_and_limit() {
    let directory = TempDir::new().unwrap();
    let state = open(directory.path());
    let keys = ["a", "b/1", "b/2", "b/3", "c"];
    commit(&state, 1, &keys.map(|key| put(key, "x")));
    let view = state.snapshot();
    let check = |prefix: &str, after: Option<&str>, limit, expected: &[&str]| {
        for reader in [&state as &dyn StateReader, &view] {
            let after = after.map(str::as_bytes);
            let found = reader
                .scan(Table::Resource, prefix.as_bytes(), after, limit)
                .unwrap();
            let found: Vec<_> = found.iter().map(|(key, _)| key.as_ref()).collect();
            let expected: Vec<_> = expected.iter().map(|key| key.as_bytes()).collect();
            assert_eq!(found, expected);
        }
    };
    check("", None, 10, &keys);
    check("b/", None, 10, &["b/1", "b/2", "b/3"]);
    check("b/", None, 2, &["b/1", "b/2"]);
    check("b/", Some("b/1"), 10, &["b/2", "b/3"]);
    check("b/", Some("a"), 10, &["b/1", "b/2", "b/3"]);
    check("b/", Some("b/3"), 10, &[]);
    check("d", None, 10, &[]);
    check("", None, 0, &[]);
}

#[test]
fn the_digest_depends_on_content_alone() {
    let directory = TempDir::new().unwrap();
    let at_once = open(&directory.path().join("one"));
    commit(&at_once, 5, &[put("a", "1"), put("b", "2")]);
    let in_steps = open(&directory.path().join("two"));
    commit(&in_steps, 3, &[put("b", "x"), put("a", "1")]);
    commit(&in_steps, 9, &[put("b", "2")]);
    assert_eq!(at_once.digest().unwrap(), in_steps.digest().unwrap());

    commit(&in_steps, 10, &[put("b", "3")]);
    assert_ne!(at_once.digest().unwrap(), in_steps.digest().unwrap());
}
