//! One numbered directory of tables.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use rocksdb::{BoundColumnFamily, DB, WriteBatch};
use tidegate_state::Table;

use super::{Commit, families};
use crate::{Error, durable};

/// Directory in which an installation prepares the next generation.
pub(super) const INCOMING: &str = "incoming";

/// An open database, and the directory it occupies.
pub(super) struct Generation {
    number: u64,
    // Declared before the directory: the database must be closed before its files go.
    db: DB,
    directory: Directory,
}

struct Directory {
    path: PathBuf,
    obsolete: AtomicBool,
}

impl Drop for Directory {
    fn drop(&mut self) {
        if self.obsolete.load(Ordering::Acquire)
            && let Err(error) = durable::remove_tree(&self.path)
        {
            // The next start tries again.
            tracing::warn!(%error, "old state directory not removed");
        }
    }
}

impl Generation {
    pub(super) fn open(directory: &Path, number: u64) -> Result<Self, Error> {
        let path = directory.join(file_name(number));
        Ok(Self {
            number,
            db: open_database(&path)?,
            directory: Directory {
                path,
                obsolete: AtomicBool::new(false),
            },
        })
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }

    pub(super) fn db(&self) -> &DB {
        &self.db
    }

    /// Lets the files go once nobody reads them any more.
    pub(super) fn retire(&self) {
        self.directory.obsolete.store(true, Ordering::Release);
    }

    pub(super) fn put(&self, batch: &mut WriteBatch, commit: Commit<'_>) -> Result<(), Error> {
        put(&self.db, batch, commit)
    }
}

pub(super) fn open_database(path: &Path) -> Result<DB, Error> {
    let options = families::database_options();
    Ok(DB::open_cf_descriptors(
        &options,
        path,
        families::descriptors(),
    )?)
}

pub(super) fn file_name(number: u64) -> String {
    format!("{number:010}")
}

/// Adds a commit to a batch: tables, applied position and membership together.
pub(super) fn put(db: &DB, batch: &mut WriteBatch, commit: Commit<'_>) -> Result<(), Error> {
    for write in commit.writes {
        let family = family(db, write.table.name())?;
        match &write.value {
            Some(value) => batch.put_cf(&family, &write.key, value),
            None => batch.delete_cf(&family, &write.key),
        }
    }
    let raft = family(db, families::RAFT)?;
    batch.put_cf(&raft, families::APPLIED, commit.applied.encode());
    if let Some(membership) = commit.membership {
        batch.put_cf(&raft, families::MEMBERSHIP, membership);
    }
    Ok(())
}

pub(super) fn table_family(db: &DB, table: Table) -> Result<Arc<BoundColumnFamily<'_>>, Error> {
    family(db, table.name())
}

pub(super) fn family<'a>(
    db: &'a DB,
    name: &'static str,
) -> Result<Arc<BoundColumnFamily<'a>>, Error> {
    db.cf_handle(name)
        .ok_or_else(|| Error::corrupt("state", format!("no family {name}")))
}

/// Opens the newest complete generation and removes what a crash left behind.
pub(super) fn open_newest(directory: &Path) -> Result<Generation, Error> {
    durable::remove_tree(&directory.join(INCOMING))?;
    let mut numbers = Vec::new();
    for entry in fs::read_dir(directory).map_err(durable::file_error("list", directory))? {
        let entry = entry.map_err(durable::file_error("list", directory))?;
        if let Some(number) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok())
        {
            numbers.push(number);
        }
    }
    let newest = numbers.iter().copied().max().unwrap_or(1);
    let generation = Generation::open(directory, newest)?;
    for old in numbers.into_iter().filter(|number| *number != newest) {
        durable::remove_tree(&directory.join(file_name(old)))?;
    }
    Ok(generation)
}
