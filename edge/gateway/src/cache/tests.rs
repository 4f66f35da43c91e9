use std::{
    fs,
    io::{self, Write},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use proptest::prelude::*;
use tempfile::TempDir;
use tidegate_sync::edge::Position;
use tidegate_view::{
    EMPTY_ROOT, FORMAT, FileSigner, Keyset, Manifest, OnlineKey, PublicKey, SignedManifest, Signer,
    StagedView, TreeChange, diff,
};

use super::{disk::DiskFile, *};

/// A disk that stops working after so many operations, like a process that is killed there.
#[derive(Debug)]
struct FailingDisk {
    left: Arc<AtomicUsize>,
}

impl FailingDisk {
    fn after(operations: usize) -> (Arc<dyn Disk>, Arc<AtomicUsize>) {
        let left = Arc::new(AtomicUsize::new(operations));
        (
            Arc::new(Self {
                left: Arc::clone(&left),
            }),
            left,
        )
    }
}

fn spend(left: &AtomicUsize) -> io::Result<()> {
    let spent = left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
        left.checked_sub(1)
    });
    spent
        .map(|_| ())
        .map_err(|_none| io::Error::other("killed here"))
}

struct FailingFile {
    file: Box<dyn DiskFile>,
    left: Arc<AtomicUsize>,
}

impl Write for FailingFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Err(error) = spend(&self.left) {
            // The kill comes in the middle of a write.
            let _ = self.file.write(&bytes[..bytes.len() / 2]);
            return Err(error);
        }
        self.file.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl DiskFile for FailingFile {
    fn sync(&mut self) -> io::Result<()> {
        spend(&self.left)?;
        self.file.sync()
    }
}

impl Disk for FailingDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        spend(&self.left)?;
        let file = FileSystem.create(path)?;
        Ok(Box::new(FailingFile {
            file,
            left: Arc::clone(&self.left),
        }))
    }

    fn append(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        spend(&self.left)?;
        let file = FileSystem.append(path)?;
        Ok(Box::new(FailingFile {
            file,
            left: Arc::clone(&self.left),
        }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        spend(&self.left)?;
        FileSystem.rename(from, to)
    }

    fn sync_directory(&self, directory: &Path) -> io::Result<()> {
        spend(&self.left)?;
        FileSystem.sync_directory(directory)
    }
}

/// Signs views of objects that differ by version.
struct Author {
    signer: FileSigner,
    keyset: TrustedKeyset,
    chain: Vec<SignedKeyset>,
    pin: RootPin,
}

fn signer() -> FileSigner {
    FileSigner::from_pkcs8(&FileSigner::generate().unwrap()).unwrap()
}

impl Author {
    fn new() -> Self {
        let (root, signer) = (signer(), signer());
        let keyset = Keyset {
            version: 1,
            epoch: 1,
            trust_domain: "test".to_owned(),
            roots: vec![PublicKey {
                id: root.key_id().to_owned(),
                public_key: root.public_key(),
            }],
            root_threshold: 1,
            online_keys: vec![OnlineKey {
                id: signer.key_id().to_owned(),
                public_key: signer.public_key(),
                not_after_ms: 0,
            }],
            revoked: Vec::new(),
        };
        let chain = vec![SignedKeyset::sign(&keyset, &[&root]).unwrap()];
        let pin = keyset.pin();
        let keyset = TrustedKeyset::establish(&pin, &chain).unwrap();
        Self {
            signer,
            keyset,
            chain,
            pin,
        }
    }

    /// Objects `0..count`; the first one says which revision it is.
    fn view(
        &self,
        revision: u64,
        count: usize,
        size: usize,
    ) -> (Arc<VerifiedView>, SignedManifest) {
        let mut staged = StagedView::empty();
        let mut objects = tidegate_view::ViewTree::new();
        for index in 0..count {
            let mut object = vec![b'x'; size];
            let tail = if index == 0 {
                format!("revision {revision}")
            } else {
                index.to_string()
            };
            object.extend_from_slice(tail.as_bytes());
            let hash = tidegate_view::object_hash(&object);
            objects.insert("api", &index.to_string(), hash, object.len() as u64);
            staged
                .apply("api", &index.to_string(), Some(Bytes::from(object)))
                .unwrap();
        }
        let manifest = Manifest {
            format: FORMAT,
            trust_domain: "test".to_owned(),
            view_id: "DEFAULT/".to_owned(),
            epoch: 1,
            revision,
            root: objects.root(),
            objects: objects.len(),
            bytes: objects.bytes(),
            prev_root: EMPTY_ROOT,
            min_edge_level: 1,
            issued_ms: 0,
            key_id: self.signer.key_id().to_owned(),
        };
        let signed = SignedManifest::sign(&manifest, &self.signer).unwrap();
        let verified = self
            .keyset
            .verify(&signed, "DEFAULT/", None, FEATURE_LEVEL)
            .unwrap();
        (Arc::new(staged.finish(verified).unwrap()), signed)
    }

    fn preparation(&self, from: Option<&VerifiedView>, revision: u64) -> Preparation {
        let (view, signed) = self.view(revision, 5, 1000);
        let empty = tidegate_view::ViewTree::new();
        let base = from.map_or(&empty, |from| from.tree());
        let changes = diff(base, view.tree())
            .into_iter()
            .map(|change| match change {
                TreeChange::Put(leaf) => ObjectChange {
                    object: view.get(&leaf.kind, &leaf.id).cloned(),
                    kind: leaf.kind.to_string(),
                    id: leaf.id.to_string(),
                },
                TreeChange::Remove { kind, id } => ObjectChange {
                    kind: kind.to_string(),
                    id: id.to_string(),
                    object: None,
                },
            })
            .collect();
        Preparation {
            from: base.root(),
            view,
            signed,
            changes,
        }
    }

    fn open(&self, directory: &Path, disk: Arc<dyn Disk>) -> Result<(Cache, Boot), OpenError> {
        let keys = KeyFile {
            path: directory.join("cache.key"),
            disk: &FileSystem,
        };
        Cache::open_with(directory, &self.pin, &keys, disk)
    }

    fn boot(&self, directory: &Path) -> Boot {
        self.open(directory, Arc::new(FileSystem)).unwrap().1
    }
}

/// Stores and activates revisions 1..=count, as an edge does.
fn run(
    author: &Author,
    directory: &Path,
    disk: Arc<dyn Disk>,
    count: u64,
    active: &mut Vec<Position>,
) -> Result<(), StoreError> {
    let (mut cache, boot) = author.open(directory, disk).unwrap();
    cache.keep_keysets(&author.chain)?;
    cache.keep_pepper(b"pepper")?;
    let mut floors = boot.floors;
    let mut held = boot.held;
    let first = held.as_ref().map_or(1, |held| held.manifest().revision + 1);
    for revision in first..first + count {
        let preparation = author.preparation(held.as_deref(), revision);
        cache.store(&preparation)?;
        let position = preparation.view.manifest().position();
        floors.raise("DEFAULT/", position);
        cache.raise_floor(&floors)?;
        active.push(position);
        held = Some(preparation.view);
    }
    Ok(())
}

fn filled(count: u64) -> (Author, TempDir) {
    let (author, directory) = (Author::new(), TempDir::new().unwrap());
    run(
        &author,
        directory.path(),
        Arc::new(FileSystem),
        count,
        &mut Vec::new(),
    )
    .unwrap();
    (author, directory)
}

fn codes(boot: &Boot) -> Vec<AlarmCode> {
    boot.alarms.iter().map(|alarm| alarm.code).collect()
}

#[test]
fn an_empty_directory_is_not_ready_and_no_alarm() {
    let (author, directory) = (Author::new(), TempDir::new().unwrap());
    let boot = author.boot(directory.path());
    assert!(boot.held.is_none() && !boot.is_servable && boot.alarms.is_empty());
}

#[test]
fn a_full_view_and_its_deltas_come_back() {
    let (author, directory) = filled(5);
    let boot = author.boot(directory.path());
    assert!(boot.is_servable);
    assert_eq!(boot.alarms, []);
    assert_eq!(boot.held.unwrap().root(), author.view(5, 5, 1000).0.root());
    assert_eq!(boot.pepper.expose(), b"pepper");
    assert!(
        !directory.path().join("cache/slot-b").exists(),
        "small changes append"
    );
}

#[test]
fn a_restarted_edge_goes_on_appending() {
    let (author, directory) = filled(2);
    run(
        &author,
        directory.path(),
        Arc::new(FileSystem),
        2,
        &mut Vec::new(),
    )
    .unwrap();
    let boot = author.boot(directory.path());
    assert_eq!(boot.held.unwrap().manifest().revision, 4);
    assert_eq!(boot.alarms, []);
}

#[test]
fn objects_larger_than_a_block_come_back() {
    let (author, directory) = (Author::new(), TempDir::new().unwrap());
    let (mut cache, _) = author.open(directory.path(), Arc::new(FileSystem)).unwrap();
    cache.keep_keysets(&author.chain).unwrap();
    let (view, signed) = author.view(1, 3, 700_000);
    let preparation = Preparation {
        view,
        signed,
        from: [9; 32],
        changes: Vec::new(),
    };
    cache.store(&preparation).unwrap();
    let boot = author.boot(directory.path());
    assert_eq!(boot.held.unwrap().root(), preparation.view.root());
}

#[test]
fn a_slot_with_many_deltas_is_written_anew_in_the_other_slot() {
    let (author, directory) = filled(RECORDS_MAX + 2);
    assert!(directory.path().join("cache/slot-b").exists());
    let boot = author.boot(directory.path());
    assert_eq!(boot.held.unwrap().manifest().revision, RECORDS_MAX + 2);
    assert_eq!(boot.alarms, []);
}

#[test]
fn killed_at_any_write_an_edge_boots_what_was_active_or_newer() {
    for operations in 0.. {
        let (author, directory) = filled(2);
        let mut active = vec![author.view(2, 5, 1000).0.manifest().position()];
        let (disk, left) = FailingDisk::after(operations);
        let outcome = run(&author, directory.path(), disk, 2, &mut active);
        let boot = author.boot(directory.path());
        assert!(
            boot.is_servable,
            "not servable after {operations} operations"
        );
        assert_eq!(boot.alarms, [], "after {operations} operations");
        let booted = boot.held.unwrap().manifest().position();
        let last = *active.last().unwrap();
        assert!(
            !booted.is_before(&last),
            "{booted:?} after {operations} operations"
        );

        // And it can go on from there.
        run(
            &author,
            directory.path(),
            Arc::new(FileSystem),
            1,
            &mut Vec::new(),
        )
        .unwrap();
        assert!(author.boot(directory.path()).is_servable);
        if outcome.is_ok() && left.load(Ordering::SeqCst) > 0 {
            assert!(operations > 20, "the test met only {operations} steps");
            return;
        }
    }
}

#[test]
fn killed_at_any_write_of_a_full_copy_an_edge_boots_what_was_active_or_newer() {
    for operations in 0.. {
        let (author, directory) = filled(2);
        let (disk, left) = FailingDisk::after(operations);
        let (mut cache, boot) = author.open(directory.path(), disk).unwrap();
        // From an unknown root, as after a full transfer: the other slot is written.
        let preparation = Preparation {
            from: [9; 32],
            ..author.preparation(None, 9)
        };
        let stored = cache.store(&preparation);
        let boot_after = author.boot(directory.path());
        assert!(boot_after.is_servable);
        assert_eq!(boot_after.alarms, [], "after {operations} operations");
        let floor = boot.floors.of("DEFAULT/").unwrap();
        assert!(boot_after.floors.admits("DEFAULT/", &floor));
        assert!(
            !boot_after
                .held
                .unwrap()
                .manifest()
                .position()
                .is_before(&floor)
        );
        if stored.is_ok() && left.load(Ordering::SeqCst) > 0 {
            return;
        }
    }
}

#[test]
fn an_older_copy_of_the_cache_is_not_served() {
    let (author, directory) = filled(2);
    let slot = directory.path().join("cache/slot-a");
    let old = fs::read(&slot).unwrap();
    run(
        &author,
        directory.path(),
        Arc::new(FileSystem),
        2,
        &mut Vec::new(),
    )
    .unwrap();
    fs::write(&slot, old).unwrap();
    let boot = author.boot(directory.path());
    assert!(!boot.is_servable);
    assert_eq!(codes(&boot), [AlarmCode::Cache]);
    assert_eq!(
        boot.held.unwrap().manifest().revision,
        2,
        "still a base for a delta"
    );
}

#[test]
fn a_damaged_newer_slot_that_was_never_active_falls_back_to_the_other() {
    let (author, directory) = filled(2);
    let (mut cache, _) = author.open(directory.path(), Arc::new(FileSystem)).unwrap();
    cache
        .store(&Preparation {
            from: [9; 32],
            ..author.preparation(None, 9)
        })
        .unwrap();
    let slot = directory.path().join("cache/slot-b");
    let mut bytes = fs::read(&slot).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&slot, bytes).unwrap();
    let boot = author.boot(directory.path());
    assert!(boot.is_servable);
    assert_eq!(codes(&boot), [AlarmCode::Cache]);
    assert_eq!(boot.held.unwrap().manifest().revision, 2);
}

#[test]
fn a_removed_floor_is_an_alarm() {
    let (author, directory) = filled(2);
    fs::remove_file(directory.path().join("cache/floor")).unwrap();
    assert_eq!(codes(&author.boot(directory.path())), [AlarmCode::Floor]);
}

#[test]
fn another_root_of_trust_gets_nothing_from_the_cache() {
    let (_, directory) = filled(2);
    let boot = Author::new().boot(directory.path());
    assert!(boot.held.is_none() && !boot.is_servable);
    assert_eq!(codes(&boot), [AlarmCode::Keyset]);
}

#[test]
fn nothing_of_the_content_is_readable_on_disk() {
    let (_, directory) = filled(3);
    for entry in fs::read_dir(directory.path().join("cache")).unwrap() {
        let bytes = fs::read(entry.unwrap().path()).unwrap();
        for secret in [b"pepper".as_slice(), b"xxxxxxxx", b"revision 3"] {
            assert!(!bytes.windows(secret.len()).any(|window| window == secret));
        }
    }
}

#[cfg(unix)]
#[test]
fn a_key_that_others_may_read_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let (author, directory) = filled(1);
    let key = directory.path().join("cache.key");
    assert_eq!(
        fs::metadata(&key).unwrap().permissions().mode() & 0o777,
        0o600
    );
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let refused = author
        .open(directory.path(), Arc::new(FileSystem))
        .unwrap_err();
    assert!(matches!(
        refused,
        OpenError::Key(KeyStoreError::TooOpen { .. })
    ));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// A changed byte anywhere: what boots is exactly what was stored, or nothing is served.
    #[test]
    fn a_flipped_byte_is_never_served(
        file in prop_oneof![Just("slot-a"), Just("floor"), Just("secrets"), Just("current")],
        place in any::<prop::sample::Index>(),
        bit in 0..8_u8,
    ) {
        let (author, directory) = filled(3);
        let path = directory.path().join("cache").join(file);
        let mut bytes = fs::read(&path).unwrap();
        let at = place.index(bytes.len());
        bytes[at] ^= 1 << bit;
        fs::write(&path, &bytes).unwrap();
        let boot = author.boot(directory.path());
        if boot.is_servable {
            let held = boot.held.unwrap();
            prop_assert_eq!(held.manifest().revision, 3);
            prop_assert_eq!(held.root(), author.view(3, 5, 1000).0.root());
        } else {
            prop_assert!(!boot.alarms.is_empty());
        }
    }

    /// A slot cut off anywhere is never served as something older than what was active.
    #[test]
    fn a_truncated_slot_is_never_served(place in any::<prop::sample::Index>()) {
        let (author, directory) = filled(3);
        let path = directory.path().join("cache/slot-a");
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, &bytes[..place.index(bytes.len())]).unwrap();
        let boot = author.boot(directory.path());
        prop_assert!(!boot.is_servable);
        prop_assert!(!boot.alarms.is_empty());
    }
}
