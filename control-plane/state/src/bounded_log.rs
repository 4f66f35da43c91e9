//! Tables that keep their newest entries only.

use bytes::Bytes;

use crate::{ReadError, StateReader, Table, bounds::PRUNE_BATCH, draft::Draft};

/// Appends to a table and removes its oldest entries beyond `keep`.
///
/// Only a watermark is kept in [`Table::Meta`] under `name`, so that a prune never scans what was pruned before.
pub(crate) struct BoundedLog {
    pub(crate) name: &'static str,
    pub(crate) table: Table,
    pub(crate) prefix: &'static [u8],
    pub(crate) keep: u64,
}

impl BoundedLog {
    /// Adds entries, which must order after all present ones; gives the entries that fell out.
    pub(crate) fn append(
        &self,
        draft: &mut Draft<'_>,
        entries: Vec<(Bytes, Bytes)>,
    ) -> Result<Vec<(Bytes, Bytes)>, ReadError> {
        let mark = self.mark(draft.state())?;
        let added = u64::try_from(entries.len()).unwrap_or(u64::MAX);
        let count = mark.count.saturating_add(added);
        for (key, value) in entries {
            draft.write(self.table, key, Some(value));
        }
        let excess = count.saturating_sub(self.keep);
        let batch = added.saturating_add(PRUNE_BATCH);
        let limit = usize::try_from(excess.min(batch)).unwrap_or(usize::MAX);
        let dropped = match limit {
            0 => Vec::new(),
            _ => draft
                .state()
                .scan(self.table, self.prefix, mark.pruned.as_deref(), limit)?,
        };
        for (key, _) in &dropped {
            draft.write(self.table, key.clone(), None);
        }
        let gone = u64::try_from(dropped.len()).unwrap_or(u64::MAX);
        let pruned = dropped.last().map(|(key, _)| key.clone()).or(mark.pruned);
        let mark = Mark {
            count: count.saturating_sub(gone),
            pruned,
        };
        draft.write(
            Table::Meta,
            Bytes::from_static(self.name.as_bytes()),
            Some(mark.encode()),
        );
        Ok(dropped)
    }

    /// Gives the key of the newest entry that fell out.
    pub(crate) fn pruned(&self, reader: &dyn StateReader) -> Result<Option<Bytes>, ReadError> {
        Ok(self.mark(reader)?.pruned)
    }

    fn mark(&self, reader: &dyn StateReader) -> Result<Mark, ReadError> {
        match reader.get(Table::Meta, self.name.as_bytes())? {
            Some(bytes) => Mark::decode(&bytes),
            None => Ok(Mark {
                count: 0,
                pruned: None,
            }),
        }
    }
}

/// How many entries a bounded log has, and the last key that was pruned: 8 bytes big-endian, then the key.
struct Mark {
    count: u64,
    pruned: Option<Bytes>,
}

impl Mark {
    fn encode(&self) -> Bytes {
        let mut bytes = self.count.to_be_bytes().to_vec();
        bytes.extend_from_slice(self.pruned.as_deref().unwrap_or_default());
        bytes.into()
    }

    fn decode(bytes: &Bytes) -> Result<Mark, ReadError> {
        let (count, pruned) = bytes
            .split_first_chunk()
            .ok_or_else(|| ReadError::corrupt(Table::Meta, "a watermark is cut short"))?;
        let pruned = (!pruned.is_empty()).then(|| bytes.slice_ref(pruned));
        Ok(Mark {
            count: u64::from_be_bytes(*count),
            pruned,
        })
    }
}
