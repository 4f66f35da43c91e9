//! The local cache: an edge restarts from it when no control plane answers.
//!
//! Two slots, each one full view and the deltas after it; a pointer names the newer slot. Small
//! changes append to the slot in use; a new full copy goes to the other one. Nothing here is
//! trusted because it was written by this edge: at boot every record passes the verification a
//! stream would. The floor, sealed apart, says what was active, so that older content is never
//! run again.
//!
//! Write order: blocks, fsync, manifest, fsync, pointer rename, fsync of the directory; the floor
//! only when the view becomes active.

mod disk;
mod key_store;
mod record;
mod seal;
mod sealed_file;
mod slot;

#[cfg(test)]
mod tests;

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};
use tidegate_model::Secret;
use tidegate_sync::{
    edge::{Alarm, AlarmCode, Floors, Preparation},
    limits::FEATURE_LEVEL,
    node::ObjectChange,
};
use tidegate_view::{Hash, KeysetSignature, RootPin, SignedKeyset, TrustedKeyset, VerifiedView};

use self::{
    disk::{Disk, FileSystem, replace},
    key_store::{KeyFile, KeyStore, KeyStoreError},
    record::{RecordError, RecordHeader, write_record},
    seal::{SealError, Sealer},
    sealed_file::{
        SealedFileError, StoredFloors, StoredKeyset, StoredSecrets, StoredSignature, read_sealed,
        write_sealed,
    },
    slot::{LoadedSlot, alarm_of, load_slot},
};

const SLOTS: [&str; 2] = ["slot-a", "slot-b"];
const POINTER: &str = "current";
const FLOOR: &str = "floor";
const SECRETS: &str = "secrets";
/// Deltas appended to a slot before it is written anew: bounds what a boot replays.
const RECORDS_MAX: u64 = 512;
/// Below this size a slot is not written anew because of its deltas.
const SLOT_BYTES_MIN: u64 = 1024 * 1024;

/// Why the cache cannot be used at all.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    /// There is no key.
    #[error(transparent)]
    Key(#[from] KeyStoreError),
    /// The directory cannot be made.
    #[error("the cache directory {path} cannot be made")]
    Directory {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

/// Why something was not stored.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    /// A slot was not written.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The floor or the secrets were not written.
    #[error(transparent)]
    SealedFile(#[from] SealedFileError),
    /// A file was not opened or renamed.
    #[error("the cache cannot be written")]
    Io(#[from] io::Error),
    /// The system gives no randomness.
    #[error(transparent)]
    Seal(#[from] SealError),
}

/// What a boot finds.
#[derive(Debug)]
pub(crate) struct Boot {
    /// Keysets that lead from the pin, with the trust they give.
    pub(crate) trust: Option<(TrustedKeyset, Vec<SignedKeyset>)>,
    /// Key of API-key hashes.
    pub(crate) pepper: Secret<Vec<u8>>,
    /// The newest view that verifies.
    pub(crate) held: Option<Arc<VerifiedView>>,
    /// True if `held` may be served: it is not older than what was active.
    pub(crate) is_servable: bool,
    /// What was active.
    pub(crate) floors: Floors,
    /// What was found wrong.
    pub(crate) alarms: Vec<Alarm>,
}

/// The open cache; one owner writes.
#[derive(Debug)]
pub(crate) struct Cache {
    directory: PathBuf,
    disk: Arc<dyn Disk>,
    sealer: Sealer,
    current: Option<CurrentSlot>,
    secrets: StoredSecrets,
}

/// The slot that deltas are appended to.
#[derive(Debug)]
struct CurrentSlot {
    index: usize,
    id: Vec<u8>,
    root: Hash,
    view_id: String,
    records: u64,
    full_bytes: u64,
    delta_bytes: u64,
    /// False after a failed or cut-off write: the next store goes to the other slot.
    is_appendable: bool,
}

impl Cache {
    /// Opens the cache under `data_dir`, making key and directory on first use, and verifies it.
    pub(crate) fn open(data_dir: &Path, pin: &RootPin) -> Result<(Self, Boot), OpenError> {
        let keys = KeyFile {
            path: data_dir.join("cache.key"),
            disk: &FileSystem,
        };
        Self::open_with(data_dir, pin, &keys, Arc::new(FileSystem))
    }

    fn open_with(
        data_dir: &Path,
        pin: &RootPin,
        keys: &dyn KeyStore,
        disk: Arc<dyn Disk>,
    ) -> Result<(Self, Boot), OpenError> {
        let directory = data_dir.join("cache");
        fs::create_dir_all(&directory).map_err(|source| OpenError::Directory {
            path: directory.clone(),
            source,
        })?;
        let sealer = Sealer::new(&keys.cache_key()?);
        let secrets = StoredSecrets::default();
        let mut cache = Self {
            directory,
            disk,
            sealer,
            current: None,
            secrets,
        };
        let boot = cache.boot(pin);
        Ok((cache, boot))
    }

    fn boot(&mut self, pin: &RootPin) -> Boot {
        let mut alarms = Vec::new();
        let floors = self.read_floors(&mut alarms);
        let trust = self.read_secrets(pin, &floors, &mut alarms);
        let pepper = Secret::new(self.secrets.pepper.clone());
        let mut boot = Boot {
            trust: None,
            pepper,
            held: None,
            is_servable: false,
            floors: floors.clone().unwrap_or_default(),
            alarms,
        };
        if let Some((keyset, _)) = &trust {
            let slots = self.read_slots(keyset, &mut boot.alarms);
            self.choose(slots, &floors, &mut boot);
        }
        boot.trust = trust;
        boot
    }

    fn read_floors(&self, alarms: &mut Vec<Alarm>) -> Option<Floors> {
        let stored = read_sealed::<StoredFloors>(&self.sealer, &self.path(FLOOR));
        match stored.and_then(StoredFloors::restore) {
            Ok(floors) => Some(floors),
            Err(SealedFileError::Missing) if !self.path(POINTER).exists() => None,
            // Between the first store and the first activation there is no floor yet; telling
            // that from a removed one is impossible, so both are reported.
            Err(error) => {
                let detail = format!("the floor of the cache is gone: {error}");
                alarms.push(Alarm::new(AlarmCode::Floor, detail));
                None
            }
        }
    }

    fn read_secrets(
        &mut self,
        pin: &RootPin,
        floors: &Option<Floors>,
        alarms: &mut Vec<Alarm>,
    ) -> Option<(TrustedKeyset, Vec<SignedKeyset>)> {
        self.secrets = match read_sealed(&self.sealer, &self.path(SECRETS)) {
            Ok(secrets) => secrets,
            Err(SealedFileError::Missing) => return None,
            Err(error) => {
                let detail = format!("the keysets of the cache are unreadable: {error}");
                alarms.push(Alarm::new(AlarmCode::Cache, detail));
                return None;
            }
        };
        let chain: Vec<SignedKeyset> = self.secrets.keysets.iter().map(restore_keyset).collect();
        if chain.is_empty() {
            return None;
        }
        let floor = floors.as_ref().map_or(0, Floors::keyset_version);
        match TrustedKeyset::establish(pin, &chain) {
            Ok(keyset) if keyset.version() >= floor => Some((keyset, chain)),
            Ok(_) => {
                let detail = "the keysets of the cache are older than those trusted before";
                alarms.push(Alarm::new(AlarmCode::Keyset, detail));
                None
            }
            Err(error) => {
                alarms.push(error.into());
                None
            }
        }
    }

    /// Slots that verify, the pointed-to one first.
    fn read_slots(
        &self,
        trust: &TrustedKeyset,
        alarms: &mut Vec<Alarm>,
    ) -> Vec<(usize, LoadedSlot)> {
        let pointed = fs::read_to_string(self.path(POINTER)).unwrap_or_default();
        let first = usize::from(pointed.trim() == SLOTS[1]);
        let mut slots = Vec::new();
        for index in [first, 1 - first] {
            let name = SLOTS[index];
            match load_slot(&self.path(name), &self.sealer, trust, FEATURE_LEVEL) {
                Ok(None) => {}
                Ok(Some(slot)) => {
                    alarms.extend(slot.tail.as_ref().and_then(|error| alarm_of(error, name)));
                    slots.push((index, slot));
                }
                // The slot not pointed to may be half-written after a crash.
                Err(error) => alarms.extend(alarm_of(&error, name)),
            }
        }
        slots
    }

    /// Takes the newest slot; it is served only if the floor admits it.
    fn choose(
        &mut self,
        slots: Vec<(usize, LoadedSlot)>,
        floors: &Option<Floors>,
        boot: &mut Boot,
    ) {
        let servable = |slot: &LoadedSlot| {
            let manifest = slot.view.manifest();
            let floors = floors.as_ref();
            floors.is_none_or(|floors| floors.admits(&manifest.view_id, &manifest.position()))
        };
        let best = slots
            .into_iter()
            .enumerate()
            .max_by(|(rank_a, (_, a)), (rank_b, (_, b))| {
                let key = |slot: &LoadedSlot, rank: usize| {
                    let position = slot.view.manifest().position();
                    let same_view_order = (position.epoch, position.revision);
                    (servable(slot), same_view_order, std::cmp::Reverse(rank))
                };
                key(a, *rank_a).cmp(&key(b, *rank_b))
            });
        let Some((_, (index, slot))) = best else {
            if floors
                .as_ref()
                .is_some_and(|floors| floors.views().next().is_some())
            {
                // A cut-off slot alone is no alarm; that nothing else is left of what was active is one.
                let detail = "nothing intact is left of what was active; waiting for a node";
                boot.alarms.push(Alarm::new(AlarmCode::Cache, detail));
            }
            return;
        };
        boot.is_servable = servable(&slot);
        if !boot.is_servable {
            let detail = "every intact slot is older than what was active; waiting for a node";
            boot.alarms.push(Alarm::new(AlarmCode::Cache, detail));
        }
        let manifest = slot.view.manifest();
        self.current = Some(CurrentSlot {
            index,
            id: slot.slot_id,
            root: manifest.root,
            view_id: manifest.view_id.clone(),
            records: slot.records,
            full_bytes: manifest.bytes,
            delta_bytes: 0,
            is_appendable: slot.tail.is_none(),
        });
        boot.held = Some(Arc::new(slot.view));
    }

    /// Makes a verified view durable: as a delta where possible, else as a full copy.
    pub(crate) fn store(&mut self, preparation: &Preparation) -> Result<(), StoreError> {
        let manifest = preparation.view.manifest();
        let delta = match &mut self.current {
            Some(current) if current.takes(preparation) => {
                // Until the write is known to be whole, nothing may follow it.
                current.is_appendable = false;
                Some((current.index, current.header(manifest)))
            }
            _ => None,
        };
        match delta {
            Some((index, header)) => self.append(index, &header, preparation),
            None => self.write_full(preparation),
        }
    }

    fn append(
        &mut self,
        index: usize,
        header: &RecordHeader,
        preparation: &Preparation,
    ) -> Result<(), StoreError> {
        let mut file = self.disk.append(&self.path(SLOTS[index]))?;
        let changes = preparation.changes.iter().cloned();
        let written = write_record(
            file.as_mut(),
            &self.sealer,
            header,
            changes,
            &preparation.signed,
        )?;
        if let Some(current) = &mut self.current {
            current.root = preparation.view.manifest().root;
            current.records += 1;
            current.delta_bytes += written;
            current.is_appendable = true;
        }
        Ok(())
    }

    fn write_full(&mut self, preparation: &Preparation) -> Result<(), StoreError> {
        let manifest = preparation.view.manifest();
        let index = self.current.as_ref().map_or(0, |current| 1 - current.index);
        let mut id = vec![0; 16];
        SystemRandom::new()
            .fill(&mut id)
            .map_err(|_unspecified| SealError::CannotSeal)?;
        let mut current = CurrentSlot {
            index,
            id,
            root: manifest.root,
            view_id: manifest.view_id.clone(),
            records: 0,
            full_bytes: 0,
            delta_bytes: 0,
            is_appendable: true,
        };
        let header = current.header(manifest);
        let mut file = self.disk.create(&self.path(SLOTS[index]))?;
        let objects = preparation
            .view
            .iter()
            .map(|(kind, id, object)| ObjectChange {
                kind: kind.to_owned(),
                id: id.to_owned(),
                object: Some(object.clone()),
            });
        current.full_bytes = write_record(
            file.as_mut(),
            &self.sealer,
            &header,
            objects,
            &preparation.signed,
        )?;
        current.records = 1;
        replace(
            self.disk.as_ref(),
            &self.path(POINTER),
            SLOTS[index].as_bytes(),
        )?;
        self.current = Some(current);
        Ok(())
    }

    /// Makes durable what is active now.
    pub(crate) fn raise_floor(&self, floors: &Floors) -> Result<(), StoreError> {
        let stored = StoredFloors::of(floors);
        write_sealed(self.disk.as_ref(), &self.sealer, &self.path(FLOOR), &stored)?;
        Ok(())
    }

    /// Keeps the keysets that lead from the pin.
    pub(crate) fn keep_keysets(&mut self, chain: &[SignedKeyset]) -> Result<(), StoreError> {
        self.secrets.keysets = chain.iter().map(store_keyset).collect();
        self.write_secrets()
    }

    /// Keeps the key of API-key hashes.
    pub(crate) fn keep_pepper(&mut self, pepper: &[u8]) -> Result<(), StoreError> {
        if self.secrets.pepper == pepper {
            return Ok(());
        }
        self.secrets.pepper = pepper.to_vec();
        self.write_secrets()
    }

    fn write_secrets(&self) -> Result<(), StoreError> {
        write_sealed(
            self.disk.as_ref(),
            &self.sealer,
            &self.path(SECRETS),
            &self.secrets,
        )?;
        Ok(())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }
}

impl CurrentSlot {
    /// True if the preparation continues this slot and the slot has not grown too long.
    fn takes(&self, preparation: &Preparation) -> bool {
        self.is_appendable
            && self.root == preparation.from
            && self.view_id == preparation.view.manifest().view_id
            && self.records < RECORDS_MAX
            && self.delta_bytes < self.full_bytes.max(SLOT_BYTES_MIN)
    }

    fn header(&self, manifest: &tidegate_view::VerifiedManifest) -> RecordHeader {
        RecordHeader {
            trust_domain: manifest.trust_domain.clone(),
            view_id: manifest.view_id.clone(),
            epoch: manifest.epoch,
            revision: manifest.revision,
            slot_id: self.id.clone(),
            number: self.records,
        }
    }
}

fn store_keyset(signed: &SignedKeyset) -> StoredKeyset {
    let signatures = signed.signatures.iter().map(|signature| StoredSignature {
        key_id: signature.key_id.clone(),
        signature: signature.signature.clone(),
    });
    StoredKeyset {
        keyset: signed.keyset.to_vec(),
        signatures: signatures.collect(),
    }
}

fn restore_keyset(stored: &StoredKeyset) -> SignedKeyset {
    let signatures = stored.signatures.iter().map(|signature| KeysetSignature {
        key_id: signature.key_id.clone(),
        signature: signature.signature.clone(),
    });
    SignedKeyset {
        keyset: stored.keyset.clone().into(),
        signatures: signatures.collect(),
    }
}
