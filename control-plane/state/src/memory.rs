//! A state in memory: for tests and simulations, and the pending half of an overlay.

use std::{
    collections::BTreeMap,
    ops::Bound::{Excluded, Included, Unbounded},
};

use bytes::Bytes;

use crate::{ReadError, StateReader, Table, Write};

/// A whole state held in ordered maps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemoryState {
    tables: BTreeMap<Table, BTreeMap<Bytes, Bytes>>,
}

impl MemoryState {
    /// Makes an empty state.
    pub fn new() -> MemoryState {
        MemoryState::default()
    }

    /// Performs the writes of an applied transaction.
    pub fn commit(&mut self, writes: Vec<Write>) {
        for write in writes {
            let table = self.tables.entry(write.table).or_default();
            match write.value {
                Some(value) => {
                    table.insert(write.key, value);
                }
                None => {
                    table.remove(&write.key);
                }
            }
        }
    }
}

impl StateReader for MemoryState {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Bytes>, ReadError> {
        Ok(self
            .tables
            .get(&table)
            .and_then(|entries| entries.get(key))
            .cloned())
    }

    fn scan(
        &self,
        table: Table,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<(Bytes, Bytes)>, ReadError> {
        let Some(entries) = self.tables.get(&table) else {
            return Ok(Vec::new());
        };
        let start = match after {
            Some(after) if after >= prefix => Excluded(after),
            _ => Included(prefix),
        };
        Ok(entries
            .range::<[u8], _>((start, Unbounded))
            .take_while(|(key, _)| key.starts_with(prefix))
            .take(limit)
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect())
    }
}
