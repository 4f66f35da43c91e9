//! A state with pending writes on top, so that several entries can be applied before one commit.

use std::{
    collections::BTreeMap,
    ops::Bound::{Excluded, Included, Unbounded},
};

use bytes::Bytes;

use crate::{ReadError, StateReader, Table, Write};

/// A reader and the writes that are not committed to it yet.
#[derive(Clone, Debug)]
pub struct Overlay<R> {
    base: R,
    pending: BTreeMap<Table, BTreeMap<Bytes, Option<Bytes>>>,
}

impl<R: StateReader> Overlay<R> {
    /// Starts with nothing pending.
    pub fn new(base: R) -> Overlay<R> {
        Overlay {
            base,
            pending: BTreeMap::new(),
        }
    }

    /// Adds the writes of one applied transaction; later reads see them.
    pub fn absorb(&mut self, writes: impl IntoIterator<Item = Write>) {
        for write in writes {
            self.pending
                .entry(write.table)
                .or_default()
                .insert(write.key, write.value);
        }
    }

    /// Gives all pending writes, each key once, ordered by table and key.
    pub fn into_writes(self) -> Vec<Write> {
        self.pending
            .into_iter()
            .flat_map(|(table, entries)| {
                entries
                    .into_iter()
                    .map(move |(key, value)| Write { table, key, value })
            })
            .collect()
    }

    pub(crate) fn put(&mut self, table: Table, key: Bytes, value: Option<Bytes>) {
        self.pending.entry(table).or_default().insert(key, value);
    }
}

impl<R: StateReader> StateReader for Overlay<R> {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Bytes>, ReadError> {
        match self
            .pending
            .get(&table)
            .and_then(|entries| entries.get(key))
        {
            Some(value) => Ok(value.clone()),
            None => self.base.get(table, key),
        }
    }

    fn scan(
        &self,
        table: Table,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<(Bytes, Bytes)>, ReadError> {
        let Some(pending) = self
            .pending
            .get(&table)
            .filter(|entries| !entries.is_empty())
        else {
            return self.base.scan(table, prefix, after, limit);
        };
        let start = match after {
            Some(after) if after >= prefix => Excluded(after),
            _ => Included(prefix),
        };
        let mut ours = pending
            .range::<[u8], _>((start, Unbounded))
            .take_while(|(key, _)| key.starts_with(prefix))
            .peekable();
        let mut theirs = BasePages::new(&self.base, table, prefix, after, limit);
        let mut found = Vec::new();
        while found.len() < limit {
            let base_key = theirs.peek()?;
            let take_ours = match (ours.peek(), base_key) {
                (None, None) => break,
                (Some(_), None) => true,
                (None, Some(_)) => false,
                (Some((key, _)), Some(base_key)) => {
                    if **key == *base_key {
                        theirs.skip();
                        true
                    } else {
                        **key < *base_key
                    }
                }
            };
            if take_ours {
                if let Some((key, Some(value))) = ours.next() {
                    found.push((key.clone(), value.clone()));
                }
            } else if let Some(entry) = theirs.take() {
                found.push(entry);
            }
        }
        Ok(found)
    }
}

/// Reads the base page by page: pending deletions may hide any number of its entries.
struct BasePages<'a, R> {
    base: &'a R,
    table: Table,
    prefix: &'a [u8],
    after: Option<Bytes>,
    page_size: usize,
    page: std::vec::IntoIter<(Bytes, Bytes)>,
    head: Option<(Bytes, Bytes)>,
    exhausted: bool,
}

impl<'a, R: StateReader> BasePages<'a, R> {
    fn new(
        base: &'a R,
        table: Table,
        prefix: &'a [u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> BasePages<'a, R> {
        BasePages {
            base,
            table,
            prefix,
            after: after.map(Bytes::copy_from_slice),
            page_size: limit.clamp(1, 1024),
            page: Vec::new().into_iter(),
            head: None,
            exhausted: false,
        }
    }

    fn peek(&mut self) -> Result<Option<Bytes>, ReadError> {
        if self.head.is_none() {
            self.head = self.page.next();
        }
        if self.head.is_none() && !self.exhausted {
            let page = self.base.scan(
                self.table,
                self.prefix,
                self.after.as_deref(),
                self.page_size,
            )?;
            self.exhausted = page.len() < self.page_size;
            if let Some((key, _)) = page.last() {
                self.after = Some(key.clone());
            }
            self.page = page.into_iter();
            self.head = self.page.next();
        }
        Ok(self.head.as_ref().map(|(key, _)| key.clone()))
    }

    fn skip(&mut self) {
        self.head = None;
    }

    fn take(&mut self) -> Option<(Bytes, Bytes)> {
        self.head.take()
    }
}
