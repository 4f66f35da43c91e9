//! Reading the log while it is being written.

use std::{fmt, ops::Range, sync::Arc};

use bytes::Bytes;
use rocksdb::ReadOptions;

use super::{ENTRIES, LogStats, Shared, decode_index, family};
use crate::{Error, LogMark};

/// A handle that reads the log; clones read independently.
#[derive(Clone)]
pub struct LogReader {
    pub(super) shared: Arc<Shared>,
}

impl fmt::Debug for LogReader {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("LogReader").finish_non_exhaustive()
    }
}

impl LogReader {
    /// The entries of `range` that exist, oldest first, each with its index.
    ///
    /// Stops early once `bytes_max` is reached, but never before the first entry. The result is
    /// one moment of the log and has no holes; it is short only where the log itself starts or
    /// ends.
    ///
    /// # Errors
    /// Fails when the database cannot be read, or has a hole where entries must be.
    pub fn entries(&self, range: Range<u64>, bytes_max: usize) -> Result<Vec<(u64, Bytes)>, Error> {
        // The iterator pins the disk's moment while the tail is locked, so that a truncation or
        // purge cannot fall between the two halves of the answer.
        let tail = self.shared.tail.read();
        let located = tail.locate(range);
        let mut iterator = None;
        if !located.on_disk.is_empty() {
            let mut options = ReadOptions::default();
            options.set_iterate_upper_bound(located.on_disk.end.to_be_bytes());
            let entries = family(&self.shared.db, ENTRIES)?;
            iterator = Some(self.shared.db.raw_iterator_cf_opt(&entries, options));
        }
        drop(tail);

        let mut found = Vec::new();
        let mut budget = Budget { left: bytes_max };
        if let Some(mut iterator) = iterator {
            let mut expected = located.on_disk.start;
            iterator.seek(expected.to_be_bytes());
            while let Some((key, value)) = iterator.item() {
                let index = decode_index(key)?;
                if index != expected {
                    return Err(Error::Gap {
                        expected,
                        found: index,
                    });
                }
                if !budget.admits(value.len(), found.is_empty()) {
                    return Ok(found);
                }
                found.push((index, Bytes::copy_from_slice(value)));
                expected += 1;
                iterator.next();
            }
            iterator.status()?;
            if expected != located.on_disk.end {
                return Err(Error::Gap {
                    expected,
                    found: located.on_disk.end,
                });
            }
        }
        for (index, entry) in (located.cached_first..).zip(located.cached) {
            if !budget.admits(entry.len(), found.is_empty()) {
                break;
            }
            found.push((index, entry));
        }
        Ok(found)
    }

    /// The newest entry, or none when everything is purged or nothing was ever appended.
    ///
    /// # Errors
    /// Fails when the database cannot be read.
    pub fn last(&self) -> Result<Option<(u64, Bytes)>, Error> {
        let next = self.shared.tail.read().next();
        Ok(self
            .entries(next.saturating_sub(1)..next, usize::MAX)?
            .pop())
    }

    /// What was purged last.
    #[must_use]
    pub fn purged(&self) -> Option<LogMark> {
        self.shared.tail.read().purged().cloned()
    }

    /// The durable vote.
    #[must_use]
    pub fn vote(&self) -> Option<Bytes> {
        self.shared.vote.read().clone()
    }

    /// The committed log id that was saved last; it may lag behind the truth.
    #[must_use]
    pub fn committed(&self) -> Option<Bytes> {
        self.shared.committed.read().clone()
    }

    /// Counters since the log was opened.
    #[must_use]
    pub fn stats(&self) -> LogStats {
        self.shared.stats()
    }
}

/// Bytes one read may still take.
struct Budget {
    left: usize,
}

impl Budget {
    fn admits(&mut self, bytes: usize, is_first: bool) -> bool {
        if bytes > self.left && !is_first {
            return false;
        }
        self.left = self.left.saturating_sub(bytes);
        true
    }
}
