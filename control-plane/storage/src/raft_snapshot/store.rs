//! Building, keeping, receiving and installing Raft snapshots.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use parking_lot::Mutex;

use super::{
    IncomingSnapshot, RaftSnapshot,
    chunk::{Header, Piece, SNAPSHOT_CHUNK_BYTES_MAX, Sequence, corrupt},
    file::FileWriter,
    record,
};
use crate::{Error, StateDb, StateView, crash_point, durable};

const COMPLETE: &str = "snap";
const PARTIAL: &str = "part";
/// Record bytes of one chunk; the kind byte takes the rest.
const RECORD_BYTES_MAX: usize = SNAPSHOT_CHUNK_BYTES_MAX - 1;

/// The Raft snapshots of one node; clones share them. At most one complete snapshot is kept.
#[derive(Debug, Clone)]
pub struct SnapshotStore {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    directory: PathBuf,
    state: StateDb,
    partial_count: AtomicU64,
    /// Held while files get and lose their names.
    naming: Mutex<()>,
}

impl SnapshotStore {
    /// Opens the snapshots in `directory`, which belong to `state`; removes unfinished ones.
    ///
    /// # Errors
    /// Fails when the directory cannot be created, read or cleaned.
    pub fn open(directory: &Path, state: StateDb) -> Result<Self, Error> {
        durable::create_directory(directory)?;
        for path in files(directory, PARTIAL)? {
            durable::remove_file(&path)?;
        }
        Ok(Self {
            shared: Arc::new(Shared {
                directory: directory.to_owned(),
                state,
                partial_count: AtomicU64::new(0),
                naming: Mutex::new(()),
            }),
        })
    }

    /// The newest complete snapshot.
    ///
    /// # Errors
    /// Fails when the file cannot be read or its header is damaged.
    pub fn current(&self) -> Result<Option<RaftSnapshot>, Error> {
        let _naming = self.shared.naming.lock();
        let newest = files(&self.shared.directory, COMPLETE)?.into_iter().max();
        newest.map(|path| RaftSnapshot::open(&path)).transpose()
    }

    /// Writes the state as `view` shows it to a new snapshot, which becomes the current one
    /// unless a newer one came meanwhile.
    ///
    /// Takes as long as reading the whole state does; commits go on meanwhile.
    ///
    /// # Errors
    /// Fails when the state cannot be read or the file not written.
    pub fn build(&self, view: &StateView) -> Result<RaftSnapshot, Error> {
        let mut writer = FileWriter::create(self.partial_path())?;
        let mut sequence = Sequence::default();
        let header = Header {
            applied: view.applied()?,
            membership: view.membership()?,
        };
        writer.chunk(&sequence.header(&header)?)?;
        let mut records = Vec::with_capacity(2 * SNAPSHOT_CHUNK_BYTES_MAX);
        view.for_each(|table, key, value| {
            record::encode(&mut records, table, key, value)?;
            let mut rest = records.as_slice();
            while let Some((chunk, behind)) = rest.split_at_checked(RECORD_BYTES_MAX) {
                writer.chunk(&sequence.records(chunk))?;
                rest = behind;
            }
            let written = records.len() - rest.len();
            records.drain(..written);
            Ok(())
        })?;
        if !records.is_empty() {
            writer.chunk(&sequence.records(&records))?;
        }
        writer.chunk(&sequence.trailer()?)?;
        self.publish(writer.finish()?)
    }

    /// Starts to receive a snapshot of at most `bytes_max` bytes from another node.
    ///
    /// # Errors
    /// Fails when the file cannot be created.
    pub fn receive(&self, bytes_max: u64) -> Result<IncomingSnapshot, Error> {
        IncomingSnapshot::create(self.partial_path(), bytes_max)
    }

    /// Replaces the whole state by `snapshot`, which also becomes the current snapshot.
    ///
    /// Every chunk is verified before anything changes. A crash at any point leaves the old state
    /// or the new one: when it comes between the two renames, the next start finds a snapshot
    /// newer than the state and has to install it. Not to be called while commits are made.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when the snapshot is damaged: nothing has changed. Any other error may come after
    /// the new state took over on disk, so the process should end and start again.
    pub fn install(&self, snapshot: RaftSnapshot) -> Result<(), Error> {
        let mut replacement = self.shared.state.replace()?;
        let mut decoder = record::Decoder::default();
        let mut chunks = snapshot.chunks()?;
        while let Some((_, piece)) = chunks.read()? {
            let Piece::Records(bytes) = piece else {
                continue;
            };
            decoder.feed(&bytes);
            while let Some(record) = decoder.next()? {
                replacement.put(record.table, &record.key, &record.value)?;
            }
        }
        decoder.finish()?;
        let header = snapshot.header().clone();
        let sealed = replacement.seal(header.applied.as_ref(), header.membership.as_deref())?;
        crash_point::reach("sealed");
        self.publish(snapshot)?;
        crash_point::reach("published");
        sealed.take_over()
    }

    /// Gives a complete file its name and removes older ones.
    fn publish(&self, snapshot: RaftSnapshot) -> Result<RaftSnapshot, Error> {
        let _naming = self.shared.naming.lock();
        let directory = &self.shared.directory;
        let path = directory.join(file_name(snapshot.header()));
        if snapshot.path() != path {
            durable::rename(snapshot.path(), &path)?;
        }
        let mut complete = files(directory, COMPLETE)?;
        complete.sort();
        let newest = complete.pop().ok_or_else(|| corrupt("the file is gone"))?;
        for older in complete {
            durable::remove_file(&older)?;
        }
        // A snapshot built slowly may be older than one installed meanwhile; its open file stays
        // readable although its name is gone.
        tracing::debug!(path = %newest.display(), "current raft snapshot");
        Ok(snapshot.at(path))
    }

    fn partial_path(&self) -> PathBuf {
        let number = self.shared.partial_count.fetch_add(1, Ordering::Relaxed);
        self.shared.directory.join(format!("{number}.{PARTIAL}"))
    }
}

/// Names sort like positions; an empty state comes first.
fn file_name(header: &Header) -> String {
    let next = header
        .applied
        .as_ref()
        .map_or(0, |applied| applied.index + 1);
    format!("{next:020}.{COMPLETE}")
}

fn files(directory: &Path, extension: &str) -> Result<Vec<PathBuf>, Error> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).map_err(durable::file_error("list", directory))? {
        let path = entry
            .map_err(durable::file_error("list", directory))?
            .path();
        if path.extension() == Some(OsStr::new(extension)) {
            found.push(path);
        }
    }
    Ok(found)
}
