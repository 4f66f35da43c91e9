//! The newest entries of the log in memory: those not yet written, and a bounded number of
//! written ones so that replication and apply rarely touch the disk. Pure; knows no database.

use std::{
    collections::VecDeque,
    ops::{Range, RangeInclusive},
};

use bytes::Bytes;

use crate::{Error, LogMark};

/// Where the log starts and ends, and its newest entries.
///
/// ```text
///   purged │ only on disk          │ in memory and on disk   │ only in memory │
///          start                first                    unwritten          next()
/// ```
#[derive(Debug)]
pub(super) struct Tail {
    purged: Option<LogMark>,
    /// Index of the oldest entry.
    start: u64,
    /// Index of the first entry in `entries`; everything before it is on disk.
    first: u64,
    entries: VecDeque<Bytes>,
    bytes: usize,
    /// Index of the first entry that may not be on disk yet.
    unwritten: u64,
    /// Grows with every truncation, so that a late report about entries that were truncated
    /// meanwhile cannot be mistaken for one about their replacements.
    generation: u64,
    cache_bytes_max: usize,
}

/// Where the entries of one read are.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Located {
    /// Entries to read from disk; they come before the cached ones.
    pub(super) on_disk: Range<u64>,
    /// Index of the first cached entry.
    pub(super) cached_first: u64,
    pub(super) cached: Vec<Bytes>,
}

impl Tail {
    pub(super) fn recovered(
        purged: Option<LogMark>,
        on_disk: Option<RangeInclusive<u64>>,
        cache_bytes_max: usize,
    ) -> Self {
        let behind_purged = purged.as_ref().map_or(0, |purged| purged.index + 1);
        let (start, next) = match on_disk {
            Some(entries) => (
                behind_purged.max(*entries.start()),
                behind_purged.max(entries.end() + 1),
            ),
            None => (behind_purged, behind_purged),
        };
        Self {
            purged,
            start,
            first: next,
            entries: VecDeque::new(),
            bytes: 0,
            unwritten: next,
            generation: 0,
            cache_bytes_max,
        }
    }

    pub(super) fn purged(&self) -> Option<&LogMark> {
        self.purged.as_ref()
    }

    /// Index the next appended entry gets.
    pub(super) fn next(&self) -> u64 {
        self.first + self.entries.len() as u64
    }

    /// Adds entries and returns the generation to report them written with.
    ///
    /// A log that is empty and was never purged starts wherever its first entry says.
    pub(super) fn append(&mut self, first: u64, entries: &[Bytes]) -> Result<u64, Error> {
        if self.start == self.next() && self.purged.is_none() && !entries.is_empty() {
            (self.start, self.first, self.unwritten) = (first, first, first);
        }
        if !entries.is_empty() && first != self.next() {
            return Err(Error::Gap {
                expected: self.next(),
                found: first,
            });
        }
        self.bytes += entries.iter().map(Bytes::len).sum::<usize>();
        self.entries.extend(entries.iter().cloned());
        Ok(self.generation)
    }

    /// Forgets every entry from `from` on and returns the new generation.
    pub(super) fn truncate(&mut self, from: u64) -> u64 {
        let from = from.max(self.start);
        while self.next() > from && !self.entries.is_empty() {
            if let Some(entry) = self.entries.pop_back() {
                self.bytes -= entry.len();
            }
        }
        self.first = self.first.min(from);
        self.unwritten = self.unwritten.min(from);
        self.generation += 1;
        self.generation
    }

    /// Forgets entries up to `purged`; false when they were purged before.
    pub(super) fn purge(&mut self, purged: &LogMark) -> bool {
        if self
            .purged
            .as_ref()
            .is_some_and(|known| purged.index <= known.index)
        {
            return false;
        }
        let start = self.start.max(purged.index + 1);
        while self.first < start && self.pop_first() {}
        self.first = self.first.max(start);
        self.unwritten = self.unwritten.max(start);
        self.start = start;
        self.purged = Some(purged.clone());
        true
    }

    /// Notes that entries before `next` are on disk, and drops what the cache need not keep.
    pub(super) fn written(&mut self, generation: u64, next: u64) {
        if generation == self.generation {
            self.unwritten = self.unwritten.max(next);
        }
        while self.bytes > self.cache_bytes_max && self.first < self.unwritten && self.pop_first() {
        }
    }

    pub(super) fn locate(&self, range: Range<u64>) -> Located {
        let start = range.start.max(self.start);
        let end = range.end.min(self.next());
        let cached_first = start.max(self.first);
        let cached = (cached_first..end)
            .filter_map(|index| usize::try_from(index - self.first).ok())
            .filter_map(|position| self.entries.get(position).cloned())
            .collect();
        Located {
            on_disk: start..end.min(self.first).max(start),
            cached_first,
            cached,
        }
    }

    fn pop_first(&mut self) -> bool {
        match self.entries.pop_front() {
            Some(entry) => {
                self.bytes -= entry.len();
                self.first += 1;
                true
            }
            None => false,
        }
    }
}
