//! The replicated tables of one node.
//!
//! The tables live in a numbered directory below `<data>/state`, one column family per table and
//! one for what Raft needs (applied position, membership). Installing a Raft snapshot makes the
//! next number; clones of [`StateDb`] see it at once, while a [`StateView`] taken before keeps
//! reading the old one, which is deleted when the last such view is gone.

mod families;
mod generation;
mod read;
mod replace;
mod view;

#[cfg(test)]
mod tests;

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use parking_lot::{Mutex, RwLock};
use rocksdb::{WriteBatch, WriteOptions};
use tidegate_state::{Hash, ReadError, StateReader, Table, Write};

use self::generation::Generation;
use crate::{Error, LogMark, durable};

pub use self::view::StateView;

/// What applying a run of log entries changes, committed as one.
#[derive(Debug, Clone, Copy)]
pub struct Commit<'a> {
    /// Changes of the tables, in order; a later one for the same key wins.
    pub writes: &'a [Write],
    /// The last entry that was applied.
    pub applied: &'a LogMark,
    /// The membership, when one of the entries changed it; opaque here.
    pub membership: Option<&'a [u8]>,
}

/// A handle to the replicated tables; clones share them.
///
/// Reads through it see the newest commit; several reads that must agree use [`StateDb::snapshot`].
#[derive(Clone)]
pub struct StateDb {
    shared: Arc<Shared>,
}

struct Shared {
    directory: PathBuf,
    current: RwLock<Arc<Generation>>,
    /// Held while a new generation is made; there is one installation at a time.
    replacing: Mutex<()>,
}

impl fmt::Debug for StateDb {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("StateDb")
            .field("directory", &self.shared.directory)
            .finish_non_exhaustive()
    }
}

impl StateDb {
    /// Opens the tables below `directory`, creating empty ones when there are none.
    ///
    /// Finishes or undoes an installation that a crash interrupted.
    ///
    /// # Errors
    /// When the directory is in use by another process or cannot be written, or the tables are
    /// damaged.
    pub fn open(directory: &Path) -> Result<Self, Error> {
        durable::create_directory(directory)?;
        let current = generation::open_newest(directory)?;
        Ok(Self {
            shared: Arc::new(Shared {
                directory: directory.to_owned(),
                current: RwLock::new(Arc::new(current)),
                replacing: Mutex::new(()),
            }),
        })
    }

    /// A view of this moment that later commits and installations do not change.
    #[must_use]
    pub fn snapshot(&self) -> StateView {
        StateView::of(self.current())
    }

    /// Commits one batch without an fsync: after a power cut the log applies it again.
    ///
    /// Only one caller may commit at a time, and not during an installation.
    ///
    /// # Errors
    /// Any error leaves open whether the batch is on disk: the process must end.
    pub fn commit(&self, commit: Commit<'_>) -> Result<(), Error> {
        let generation = self.current();
        let mut batch = WriteBatch::default();
        generation.put(&mut batch, commit)?;
        Ok(generation.db().write_opt(batch, &WriteOptions::default())?)
    }

    /// Makes every commit so far durable and returns the last position it covers.
    ///
    /// # Errors
    /// Any error leaves open what is on disk: the process must end.
    pub fn sync(&self) -> Result<Option<LogMark>, Error> {
        let generation = self.current();
        let applied = read::applied(generation.db())?;
        generation.db().flush_wal(true)?;
        Ok(applied)
    }

    /// The last applied position; none in an empty database.
    ///
    /// # Errors
    /// Fails when the database cannot be read.
    pub fn applied(&self) -> Result<Option<LogMark>, Error> {
        read::applied(self.current().db())
    }

    /// The membership as of [`StateDb::applied`].
    ///
    /// # Errors
    /// Fails when the database cannot be read.
    pub fn membership(&self) -> Result<Option<Bytes>, Error> {
        read::membership(self.current().db())
    }

    /// BLAKE3 over every table in key order; equal on all nodes at the same applied position.
    ///
    /// Reads everything: for checks, not for a hot path.
    ///
    /// # Errors
    /// Fails when the database cannot be read.
    pub fn digest(&self) -> Result<Hash, ReadError> {
        self.snapshot().digest()
    }

    fn current(&self) -> Arc<Generation> {
        Arc::clone(&self.shared.current.read())
    }
}

impl StateReader for StateDb {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Bytes>, ReadError> {
        read::get(self.current().db(), table, key).map_err(|error| ReadError::storage(table, error))
    }

    fn scan(
        &self,
        table: Table,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<(Bytes, Bytes)>, ReadError> {
        let generation = self.current();
        let scan = read::Scan {
            table,
            prefix,
            after,
            limit,
        };
        read::scan(generation.db(), rocksdb::ReadOptions::default(), &scan)
            .map_err(|error| ReadError::storage(table, error))
    }
}
