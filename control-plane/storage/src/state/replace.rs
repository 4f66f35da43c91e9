//! Replacing all tables by those of a Raft snapshot.
//!
//! The new tables are built beside the old ones, made durable, and take over by one rename:
//!
//! ```text
//!   state/0000000007/                 serving
//!   state/incoming/                   being filled; removed by the next start
//!   state/0000000008/                 after the rename: the next start uses it
//! ```

use std::{path::PathBuf, sync::Arc};

use parking_lot::MutexGuard;
use rocksdb::{DB, FlushOptions, WriteBatch, WriteOptions};
use tidegate_state::Table;

use super::{
    Commit, StateDb, families,
    generation::{self, Generation},
};
use crate::{Error, LogMark, durable};

/// Bytes gathered before they are written.
const BATCH_BYTES: usize = 4 << 20;

/// Tables that are being filled and will replace the present ones.
///
/// Dropping it without [`Replacement::finish`] changes nothing.
pub(crate) struct Replacement<'a> {
    state: &'a StateDb,
    path: PathBuf,
    db: DB,
    batch: WriteBatch,
    _installing: MutexGuard<'a, ()>,
}

impl StateDb {
    /// Starts to fill new tables; waits for an installation that is under way.
    pub(crate) fn replace(&self) -> Result<Replacement<'_>, Error> {
        let installing = self.shared.replacing.lock();
        let path = self.shared.directory.join(generation::INCOMING);
        durable::remove_tree(&path)?;
        let db = generation::open_database(&path)?;
        Ok(Replacement {
            state: self,
            path,
            db,
            batch: WriteBatch::default(),
            _installing: installing,
        })
    }
}

impl<'a> Replacement<'a> {
    /// Adds one record; `number` is the table's number in digests.
    pub(crate) fn put(&mut self, number: u8, key: &[u8], value: &[u8]) -> Result<(), Error> {
        let table = families::table(number).ok_or_else(|| {
            Error::corrupt(
                "raft snapshot",
                format!("table {number} is unknown to this release"),
            )
        })?;
        self.batch
            .put_cf(&generation::table_family(&self.db, table)?, key, value);
        if self.batch.size_in_bytes() >= BATCH_BYTES {
            self.write()?;
        }
        Ok(())
    }

    /// Makes the new tables durable; the old ones still serve, also after a crash.
    pub(crate) fn seal(
        mut self,
        applied: Option<&LogMark>,
        membership: Option<&[u8]>,
    ) -> Result<SealedReplacement<'a>, Error> {
        if let Some(applied) = applied {
            let commit = Commit {
                writes: &[],
                applied,
                membership,
            };
            generation::put(&self.db, &mut self.batch, commit)?;
        }
        self.write()?;
        let mut options = FlushOptions::default();
        options.set_wait(true);
        for name in Table::ALL
            .into_iter()
            .map(Table::name)
            .chain([families::RAFT])
        {
            self.db
                .flush_cf_opt(&generation::family(&self.db, name)?, &options)?;
        }
        let Self {
            state,
            path,
            db,
            _installing: installing,
            ..
        } = self;
        drop(db);
        durable::sync_tree(&path)?;
        Ok(SealedReplacement {
            state,
            path,
            _installing: installing,
        })
    }

    fn write(&mut self) -> Result<(), Error> {
        let mut options = WriteOptions::default();
        // Nothing is lost when a crash interrupts this: the directory is started over.
        options.disable_wal(true);
        Ok(self
            .db
            .write_opt(std::mem::take(&mut self.batch), &options)?)
    }
}

/// Complete and durable tables that wait to take over.
pub(crate) struct SealedReplacement<'a> {
    state: &'a StateDb,
    path: PathBuf,
    _installing: MutexGuard<'a, ()>,
}

impl SealedReplacement<'_> {
    /// Makes the new tables the present ones, for every clone of the [`StateDb`].
    pub(crate) fn take_over(self) -> Result<(), Error> {
        let shared = &self.state.shared;
        let number = shared.current.read().number() + 1;
        durable::rename(
            &self.path,
            &shared.directory.join(generation::file_name(number)),
        )?;
        crate::crash_point::reach("renamed");
        let new = Arc::new(Generation::open(&shared.directory, number)?);
        let old = std::mem::replace(&mut *shared.current.write(), new);
        old.retire();
        Ok(())
    }
}
