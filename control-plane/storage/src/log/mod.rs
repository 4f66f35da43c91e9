//! The Raft log, the vote and the purge mark of one node.
//!
//! ```text
//!  append, vote, truncate, purge          readers (replication, apply)
//!        │  memory first                        │
//!        ▼                                      ▼
//!   [ Tail: newest entries ] ◄──────────── LogReader ──► RocksDB: entries, meta
//!        │  bounded queue                                   ▲
//!        ▼                                                  │ one WriteBatch, one fsync
//!   [ writer thread ] ──────────────────────────────────────┘ then the completions
//! ```
//!
//! An entry is readable as soon as `append` returns and durable when its completion runs. All
//! writes pass through one queue, so a vote is never durable before an entry queued ahead of it.

mod reader;
mod tail;
mod writer;

#[cfg(test)]
mod model_tests;
#[cfg(test)]
mod tests;

use std::{
    fmt,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{self, SyncSender},
    },
    thread::JoinHandle,
};

use bytes::Bytes;
use parking_lot::RwLock;
use rocksdb::{
    ColumnFamilyDescriptor, DB, DBCompressionType, DBRecoveryMode, IteratorMode, Options,
};

use self::{
    tail::Tail,
    writer::{Command, Writer},
};
use crate::{Error, LogMark, durable};

pub use self::reader::LogReader;

/// Runs on the writer thread after the write it belongs to is durable; it must not block.
pub type Completion = Box<dyn FnOnce() + Send>;

const ENTRIES: &str = "entries";
const META: &str = "meta";
const VOTE: &[u8] = b"vote";
const COMMITTED: &[u8] = b"committed";
const PURGED: &[u8] = b"purged";

/// Bounds of the log's memory.
#[derive(Debug, Clone, Copy)]
pub struct LogLimits {
    /// Writes that may wait for the writer thread; further ones block the caller, who can avoid
    /// that by counting those whose completion has not run.
    pub queue_len_max: usize,
    /// Bytes of written entries kept in memory for replication and apply.
    pub cache_bytes_max: usize,
}

impl Default for LogLimits {
    fn default() -> Self {
        // A thousand writes is several times what one fsync ever gathers; 16 MiB of recent
        // entries covers followers that are a second behind at full write rate.
        Self {
            queue_len_max: 1024,
            cache_bytes_max: 16 << 20,
        }
    }
}

/// Counters since the log was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogStats {
    /// Batches written with an fsync.
    pub syncs: u64,
    /// Entries written.
    pub entries: u64,
}

/// What the owner, the readers and the writer thread share.
struct Shared {
    db: DB,
    tail: RwLock<Tail>,
    vote: RwLock<Option<Bytes>>,
    committed: RwLock<Option<Bytes>>,
    syncs: AtomicU64,
    entries: AtomicU64,
}

impl Shared {
    fn stats(&self) -> LogStats {
        LogStats {
            syncs: self.syncs.load(Ordering::Relaxed),
            entries: self.entries.load(Ordering::Relaxed),
        }
    }
}

/// The writing side of the Raft log; there is exactly one per node.
///
/// Dropping it writes what is queued and ends the writer thread.
pub struct LogStore {
    shared: Arc<Shared>,
    queue: Option<SyncSender<Command>>,
    writer: Option<JoinHandle<()>>,
}

impl fmt::Debug for LogStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("LogStore")
            .field("stats", &self.shared.stats())
            .finish()
    }
}

impl LogStore {
    /// Opens the log in `directory`, creating an empty one when there is none.
    ///
    /// # Errors
    /// When the directory is in use by another process or cannot be written, and when anything but
    /// a torn last record is damaged: dropping acknowledged entries would break the quorum.
    pub fn open(directory: &Path, limits: LogLimits) -> Result<Self, Error> {
        durable::create_directory(directory)?;
        let families =
            [ENTRIES, META].map(|name| ColumnFamilyDescriptor::new(name, family_options()));
        let db = DB::open_cf_descriptors(&database_options(), directory, families)?;
        let tail = recover(&db, limits.cache_bytes_max)?;
        let vote = meta(&db, VOTE)?;
        let committed = meta(&db, COMMITTED)?;
        let shared = Arc::new(Shared {
            db,
            tail: RwLock::new(tail),
            vote: RwLock::new(vote),
            committed: RwLock::new(committed),
            syncs: AtomicU64::new(0),
            entries: AtomicU64::new(0),
        });
        let (queue, commands) = mpsc::sync_channel(limits.queue_len_max);
        let writer = Writer::new(Arc::clone(&shared), commands).start()?;
        Ok(Self {
            shared,
            queue: Some(queue),
            writer: Some(writer),
        })
    }

    /// A handle that reads; cheap to clone.
    #[must_use]
    pub fn reader(&self) -> LogReader {
        LogReader {
            shared: Arc::clone(&self.shared),
        }
    }

    /// Appends `entries`, the first of which has index `first`; `done` runs when they are durable.
    ///
    /// An empty log that was never purged takes any index for its first entry.
    ///
    /// # Errors
    /// [`Error::Gap`] when `first` does not follow the log, [`Error::WriterStopped`] at shutdown.
    pub fn append(
        &mut self,
        first: u64,
        entries: Vec<Bytes>,
        done: Completion,
    ) -> Result<(), Error> {
        let generation = self.shared.tail.write().append(first, &entries)?;
        self.send(Command::Append {
            generation,
            first,
            entries,
            done,
        })
    }

    /// Replaces the vote; `done` runs when it is durable, and only then readers see it.
    ///
    /// # Errors
    /// [`Error::WriterStopped`] at shutdown.
    pub fn save_vote(&mut self, vote: Bytes, done: Completion) -> Result<(), Error> {
        self.send(Command::Vote { vote, done })
    }

    /// Remembers the newest committed log id, a hint for the next start that needs no fsync;
    /// readers see it at once. `done` runs when it is written.
    ///
    /// # Errors
    /// [`Error::WriterStopped`] at shutdown.
    pub fn save_committed(&mut self, committed: Bytes, done: Completion) -> Result<(), Error> {
        *self.shared.committed.write() = Some(committed.clone());
        self.send(Command::Committed { committed, done })
    }

    /// Removes every entry from index `from` on.
    ///
    /// # Errors
    /// [`Error::WriterStopped`] at shutdown.
    pub fn truncate(&mut self, from: u64, done: Completion) -> Result<(), Error> {
        let generation = self.shared.tail.write().truncate(from);
        self.send(Command::Truncate {
            generation,
            from,
            done,
        })
    }

    /// Removes every entry up to and including the one `purged` names.
    ///
    /// The log may end before that entry: after a Raft snapshot was installed it then continues
    /// right behind it.
    ///
    /// # Errors
    /// [`Error::WriterStopped`] at shutdown.
    pub fn purge(&mut self, purged: LogMark, done: Completion) -> Result<(), Error> {
        if !self.shared.tail.write().purge(&purged) {
            done();
            return Ok(());
        }
        self.send(Command::Purge { purged, done })
    }

    fn send(&self, command: Command) -> Result<(), Error> {
        let queue = self.queue.as_ref().ok_or(Error::WriterStopped)?;
        queue.send(command).map_err(|_stopped| Error::WriterStopped)
    }
}

impl Drop for LogStore {
    fn drop(&mut self) {
        drop(self.queue.take());
        if let Some(writer) = self.writer.take()
            && writer.join().is_err()
        {
            tracing::error!("log writer thread panicked");
        }
    }
}

fn database_options() -> Options {
    let mut options = Options::default();
    options.create_if_missing(true);
    options.create_missing_column_families(true);
    // Only the last record may be torn. Point-in-time recovery, the default, would drop every
    // acknowledged entry behind a flipped bit without a word.
    options.set_wal_recovery_mode(DBRecoveryMode::TolerateCorruptedTailRecords);
    options.set_max_total_wal_size(256 << 20);
    options.set_keep_log_file_num(4);
    options.set_max_log_file_size(16 << 20);
    options.set_max_open_files(256);
    options
}

fn family_options() -> Options {
    let mut options = Options::default();
    options.set_compression_type(DBCompressionType::Lz4);
    options.set_write_buffer_size(64 << 20);
    options
}

/// Finds where the log starts and ends on disk.
fn recover(db: &DB, cache_bytes_max: usize) -> Result<Tail, Error> {
    let purged = match meta(db, PURGED)? {
        Some(value) => Some(LogMark::decode(&value)?),
        None => None,
    };
    let entries = family(db, ENTRIES)?;
    let at = |mode| db.iterator_cf(&entries, mode).next().transpose();
    let on_disk = match (at(IteratorMode::Start)?, at(IteratorMode::End)?) {
        (Some((first, _)), Some((last, _))) => Some(decode_index(&first)?..=decode_index(&last)?),
        _empty => None,
    };
    Ok(Tail::recovered(purged, on_disk, cache_bytes_max))
}

fn family<'a>(
    db: &'a DB,
    name: &'static str,
) -> Result<Arc<rocksdb::BoundColumnFamily<'a>>, Error> {
    db.cf_handle(name)
        .ok_or_else(|| Error::corrupt("raft log", format!("no family {name}")))
}

fn meta(db: &DB, key: &[u8]) -> Result<Option<Bytes>, Error> {
    Ok(db.get_cf(&family(db, META)?, key)?.map(Bytes::from))
}

fn decode_index(key: &[u8]) -> Result<u64, Error> {
    let key = <[u8; 8]>::try_from(key)
        .map_err(|_size| Error::corrupt("raft log", format!("entry key of {} bytes", key.len())))?;
    Ok(u64::from_be_bytes(key))
}
