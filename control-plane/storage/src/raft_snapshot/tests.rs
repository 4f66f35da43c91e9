use std::{fs, os::unix::process::ExitStatusExt as _, path::Path, process::Command};

use bytes::Bytes;
use proptest::prelude::*;
use tempfile::TempDir;
use tidegate_state::{StateReader, Table, Write};

use super::{RaftSnapshot, SNAPSHOT_CHUNK_BYTES_MAX, SnapshotChunk, SnapshotStore, record};
use crate::{Commit, Error, LogMark, StateDb, crash_point};

/// One node's state and snapshots.
struct Node {
    state: StateDb,
    snapshots: SnapshotStore,
}

impl Node {
    fn open(directory: &Path) -> Self {
        let state = StateDb::open(&directory.join("state")).unwrap();
        let snapshots = SnapshotStore::open(&directory.join("snapshots"), state.clone()).unwrap();
        Self { state, snapshots }
    }

    fn commit(&self, index: u64, key: &str, value: Vec<u8>) {
        let writes = [Write {
            table: Table::Object,
            key: Bytes::from(key.to_owned()),
            value: Some(value.into()),
        }];
        let commit = Commit {
            writes: &writes,
            applied: &mark(index),
            membership: Some(b"members"),
        };
        self.state.commit(commit).unwrap();
    }

    fn build(&self) -> RaftSnapshot {
        self.snapshots.build(&self.state.snapshot()).unwrap()
    }

    fn receive(&self, chunks: &[SnapshotChunk]) -> Result<RaftSnapshot, Error> {
        let mut incoming = self.snapshots.receive(u64::MAX)?;
        for chunk in chunks {
            incoming.push(chunk)?;
        }
        incoming.finish()
    }
}

fn mark(index: u64) -> LogMark {
    LogMark {
        index,
        id: Bytes::from(format!("id {index}")),
    }
}

fn chunks(snapshot: &RaftSnapshot) -> Vec<SnapshotChunk> {
    snapshot
        .chunks()
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap()
}

/// A node whose state fills several chunks, with one value larger than a chunk.
fn leader(directory: &Path) -> Node {
    let node = Node::open(directory);
    node.commit(1, "large", vec![7; 3 * SNAPSHOT_CHUNK_BYTES_MAX]);
    node.commit(2, "empty", Vec::new());
    node.commit(9, "small", b"value".to_vec());
    node
}

#[test]
fn an_installed_snapshot_equals_its_source_for_every_clone() {
    let directory = TempDir::new().unwrap();
    let leader = leader(&directory.path().join("leader"));
    let follower = Node::open(&directory.path().join("follower"));
    follower.commit(1, "stale", b"gone after the installation".to_vec());
    let clone = follower.state.clone();
    let old_view = follower.state.snapshot();

    let received = follower.receive(&chunks(&leader.build())).unwrap();
    follower.snapshots.install(received).unwrap();

    assert_eq!(clone.digest().unwrap(), leader.state.digest().unwrap());
    assert_eq!(clone.applied().unwrap(), Some(mark(9)));
    assert_eq!(
        clone.membership().unwrap(),
        Some(Bytes::from_static(b"members"))
    );
    assert!(old_view.get(Table::Object, b"stale").unwrap().is_some());
    let current = follower.snapshots.current().unwrap().unwrap();
    assert_eq!(current.applied(), Some(&mark(9)));
    assert_eq!(chunks(&current), chunks(&leader.build()));

    follower.commit(10, "later", b"x".to_vec());
    drop((follower, clone, old_view));
    let follower = Node::open(&directory.path().join("follower"));
    assert!(
        follower
            .state
            .get(Table::Object, b"later")
            .unwrap()
            .is_some()
    );
    assert_eq!(
        fs::read_dir(directory.path().join("follower/state"))
            .unwrap()
            .count(),
        1
    );
}

#[test]
fn an_empty_state_can_be_a_snapshot() {
    let directory = TempDir::new().unwrap();
    let node = Node::open(directory.path());
    let snapshot = node.build();
    assert_eq!((snapshot.applied(), snapshot.membership()), (None, None));
    node.snapshots.install(snapshot).unwrap();
    assert_eq!(node.state.applied().unwrap(), None);
}

#[test]
fn only_the_newest_snapshot_is_kept_and_older_handles_stay_readable() {
    let directory = TempDir::new().unwrap();
    let node = Node::open(directory.path());
    node.commit(1, "a", b"1".to_vec());
    let (view, old) = (node.state.snapshot(), node.build());
    node.commit(2, "a", b"2".to_vec());
    node.build();
    assert_eq!(
        fs::read_dir(directory.path().join("snapshots"))
            .unwrap()
            .count(),
        1
    );
    assert_eq!(chunks(&old).len(), 3);

    node.snapshots.build(&view).unwrap();
    assert_eq!(
        node.snapshots.current().unwrap().unwrap().applied(),
        Some(&mark(2))
    );
}

#[test]
fn damaged_chunks_are_refused() {
    let directory = TempDir::new().unwrap();
    let good = chunks(&leader(&directory.path().join("leader")).build());
    let follower = Node::open(&directory.path().join("follower"));
    let check = |case: &str, damage: &dyn Fn(&mut Vec<SnapshotChunk>)| {
        let mut chunks = good.clone();
        damage(&mut chunks);
        let refused = follower.receive(&chunks);
        assert!(
            matches!(refused, Err(Error::Corrupt { .. })),
            "{case}: {refused:?}"
        );
    };
    check("nothing", &|chunks| chunks.clear());
    check("no header", &|chunks| drop(chunks.remove(0)));
    check("no trailer", &|chunks| drop(chunks.pop()));
    check("a chunk missing", &|chunks| drop(chunks.remove(2)));
    check("swapped", &|chunks| chunks.swap(1, 2));
    check("repeated", &|chunks| chunks.insert(1, chunks[1].clone()));
    check("more behind the end", &|chunks| {
        chunks.push(chunks[1].clone())
    });
    check("a flipped bit", &|chunks| {
        let mut data = chunks[1].data.to_vec();
        data[9] ^= 1;
        chunks[1].data = data.into();
    });
    check("too large", &|chunks| {
        let data = Bytes::from(vec![2; SNAPSHOT_CHUNK_BYTES_MAX + 1]);
        chunks[1] = SnapshotChunk {
            hash: *blake3::hash(&data).as_bytes(),
            data,
        };
    });
    assert_eq!(
        fs::read_dir(directory.path().join("follower/snapshots"))
            .unwrap()
            .count(),
        0
    );
}

#[test]
fn a_snapshot_over_the_size_limit_is_refused() {
    let directory = TempDir::new().unwrap();
    let good = chunks(&leader(&directory.path().join("leader")).build());
    let follower = Node::open(&directory.path().join("follower"));
    let mut incoming = follower
        .snapshots
        .receive(SNAPSHOT_CHUNK_BYTES_MAX as u64)
        .unwrap();
    incoming.push(&good[0]).unwrap();
    assert!(matches!(
        incoming.push(&good[1]),
        Err(Error::Corrupt { .. })
    ));
}

#[test]
fn bit_rot_of_the_file_is_found_before_the_state_changes() {
    let directory = TempDir::new().unwrap();
    let node = leader(directory.path());
    let before = node.state.digest().unwrap();
    let snapshot = node.build();
    let path = directory
        .path()
        .join("snapshots")
        .join(format!("{:020}.snap", 10));
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&path, bytes).unwrap();

    assert!(snapshot.chunks().unwrap().any(|chunk| chunk.is_err()));
    assert!(matches!(
        node.snapshots.install(snapshot),
        Err(Error::Corrupt { .. })
    ));
    assert_eq!(node.state.digest().unwrap(), before);
}

/// The environment variable by which the test below finds its node when it runs as a child.
const DIRECTORY: &str = "TIDEGATE_TEST_INSTALL_DIRECTORY";

/// Installs in a child process that dies at a crash point; does nothing in a normal run.
#[test]
fn child_that_crashes_while_it_installs() {
    let Ok(directory) = std::env::var(DIRECTORY) else {
        return;
    };
    let directory = Path::new(&directory);
    let source = leader(&directory.join("leader"));
    let follower = Node::open(&directory.join("follower"));
    let received = follower.receive(&chunks(&source.build())).unwrap();
    follower.snapshots.install(received).unwrap();
}

#[test]
fn a_crash_while_installing_leaves_the_old_state_or_the_new_one() {
    // (where it dies, whether the state is new, whether the snapshot is kept to be installed)
    let cases = [
        ("sealed", false, false),
        ("published", false, true),
        ("renamed", true, true),
    ];
    for (place, is_new, is_kept) in cases {
        let directory = TempDir::new().unwrap();
        let follower = directory.path().join("follower");
        Node::open(&follower).commit(1, "old", b"state".to_vec());
        let old = Node::open(&follower).state.digest().unwrap();
        let child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "raft_snapshot::tests::child_that_crashes_while_it_installs",
            ])
            .env(DIRECTORY, directory.path())
            .env(crash_point::VARIABLE, place)
            .output()
            .unwrap();
        assert_eq!(child.status.signal(), Some(6), "{place}: {child:?}");

        let node = Node::open(&follower);
        let new = Node::open(&directory.path().join("leader"))
            .state
            .digest()
            .unwrap();
        let expected = if is_new { new } else { old };
        assert_eq!(node.state.digest().unwrap(), expected, "{place}");
        assert_eq!(
            node.snapshots.current().unwrap().is_some(),
            is_kept,
            "{place}"
        );
        if let Some(kept) = node.snapshots.current().unwrap() {
            node.snapshots.install(kept).unwrap();
            assert_eq!(node.state.digest().unwrap(), new, "{place}");
        }
    }
}

proptest! {
    #[test]
    fn records_survive_any_cut(
        records in proptest::collection::vec(
            (any::<u8>(), any::<Vec<u8>>(), any::<Vec<u8>>()), 0..20),
        cut in 1..50_usize,
    ) {
        let mut encoded = Vec::new();
        for (table, key, value) in &records {
            record::encode(&mut encoded, *table, key, value).unwrap();
        }
        let mut decoder = record::Decoder::default();
        let mut decoded = Vec::new();
        for piece in encoded.chunks(cut) {
            decoder.feed(piece);
            while let Some(record) = decoder.next().unwrap() {
                decoded.push((record.table, record.key.to_vec(), record.value.to_vec()));
            }
        }
        decoder.finish().unwrap();
        prop_assert_eq!(decoded, records);
    }

    #[test]
    fn random_bytes_never_panic(bytes in any::<Vec<u8>>()) {
        let mut decoder = record::Decoder::default();
        decoder.feed(&bytes);
        while let Ok(Some(_)) = decoder.next() {}
    }
}
