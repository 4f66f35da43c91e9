//! The stored history of changes, from which watchers resume.

use bytes::Bytes;

use crate::{
    ReadError, ResourceKind, StateReader, Table, bounded_log::BoundedLog, draft::Draft, key,
};

/// Stores the events of the transaction and drops the oldest beyond the bound.
pub(crate) fn record(draft: &mut Draft<'_>) -> Result<(), ReadError> {
    let log = log(draft.bounds.events);
    let index = draft.index;
    let entries: Vec<_> = (0_u32..)
        // Live objects follow from the other changes and are no resource of their own to a watcher.
        .zip(
            draft
                .events
                .iter()
                .filter(|event| event.kind != ResourceKind::Live),
        )
        .map(|(position, event)| (key::event(index, position), event.encode()))
        .collect();
    if !entries.is_empty() {
        log.append(draft, entries)?;
    }
    Ok(())
}

/// Key of the last event that is gone.
pub(crate) fn pruned_key(reader: &dyn StateReader) -> Result<Option<Bytes>, ReadError> {
    // The bound plays no part in reading.
    log(0).pruned(reader)
}

const fn log(keep: u64) -> BoundedLog {
    BoundedLog {
        name: "events",
        table: Table::Event,
        prefix: &[],
        keep,
    }
}
