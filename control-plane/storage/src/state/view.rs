//! A pinned moment of the tables.

use std::{fmt, sync::Arc};

use bytes::Bytes;
use rocksdb::{DB, ReadOptions, Snapshot};
use self_cell::self_cell;
use tidegate_state::{Hash, ReadError, StateReader, Table};

use super::{
    families,
    generation::{self, Generation},
    read,
};
use crate::{Error, LogMark};

self_cell!(
    struct Pinned {
        owner: Arc<Generation>,
        #[covariant]
        dependent: Snapshot,
    }
);

/// The tables as they were at one moment.
///
/// It keeps old versions on disk alive, so it should live for one request or one Raft snapshot,
/// not for the life of the process.
pub struct StateView {
    pinned: Pinned,
}

impl fmt::Debug for StateView {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("StateView")
            .field("generation", &self.pinned.borrow_owner().number())
            .finish_non_exhaustive()
    }
}

impl StateView {
    pub(super) fn of(generation: Arc<Generation>) -> Self {
        Self {
            pinned: Pinned::new(generation, |generation| generation.db().snapshot()),
        }
    }

    /// The last position applied in this view; none in an empty database.
    ///
    /// # Errors
    /// Fails when the database cannot be read.
    pub fn applied(&self) -> Result<Option<LogMark>, Error> {
        let value = self.raft_value(families::APPLIED)?;
        value.as_ref().map(LogMark::decode).transpose()
    }

    /// The membership as of [`StateView::applied`].
    ///
    /// # Errors
    /// Fails when the database cannot be read.
    pub fn membership(&self) -> Result<Option<Bytes>, Error> {
        self.raft_value(families::MEMBERSHIP)
    }

    /// BLAKE3 over every table in key order; equal on all nodes at the same applied position.
    ///
    /// # Errors
    /// Fails when the database cannot be read.
    pub fn digest(&self) -> Result<Hash, ReadError> {
        tidegate_state::digest(self)
    }

    /// Calls `visit` with every key and value of every table, in the order of digests.
    pub(crate) fn for_each(
        &self,
        mut visit: impl FnMut(u8, &[u8], &[u8]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        for table in Table::ALL {
            let family = generation::table_family(self.db(), table)?;
            let mut options = self.options();
            // A pass over everything must not push the hot blocks out of the cache.
            options.fill_cache(false);
            let mut iterator = self.db().raw_iterator_cf_opt(&family, options);
            iterator.seek_to_first();
            while let Some((key, value)) = iterator.item() {
                visit(families::number(table), key, value)?;
                iterator.next();
            }
            iterator.status()?;
        }
        Ok(())
    }

    fn raft_value(&self, key: &[u8]) -> Result<Option<Bytes>, Error> {
        let family = generation::family(self.db(), families::RAFT)?;
        Ok(self
            .db()
            .get_cf_opt(&family, key, &self.options())?
            .map(Bytes::from))
    }

    fn db(&self) -> &DB {
        self.pinned.borrow_owner().db()
    }

    fn options(&self) -> ReadOptions {
        let mut options = ReadOptions::default();
        options.set_snapshot(self.pinned.borrow_dependent());
        options
    }
}

impl StateReader for StateView {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Bytes>, ReadError> {
        let read = || -> Result<Option<Bytes>, Error> {
            let family = generation::table_family(self.db(), table)?;
            Ok(self
                .db()
                .get_cf_opt(&family, key, &self.options())?
                .map(Bytes::from))
        };
        read().map_err(|error| ReadError::storage(table, error))
    }

    fn scan(
        &self,
        table: Table,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<(Bytes, Bytes)>, ReadError> {
        let scan = read::Scan {
            table,
            prefix,
            after,
            limit,
        };
        read::scan(self.db(), self.options(), &scan)
            .map_err(|error| ReadError::storage(table, error))
    }
}
