//! Reads of the stored changes.

use super::PAGE_MAX;
use crate::{Event, ReadError, StateReader, Table, event_log, key};

/// Where a watcher is in the stored events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EventCursor {
    /// Log index.
    pub revision: u64,
    /// Position in the transaction.
    pub position: u32,
}

impl EventCursor {
    /// After all events of a revision.
    pub const fn after_revision(revision: u64) -> EventCursor {
        EventCursor {
            revision,
            position: u32::MAX,
        }
    }
}

/// Lists stored events after a cursor, oldest first. Live objects are no part of it.
///
/// # Errors
/// When the state cannot be read.
pub fn events(
    reader: &dyn StateReader,
    after: EventCursor,
    limit: usize,
) -> Result<Vec<(EventCursor, Event)>, ReadError> {
    let after = key::event(after.revision, after.position);
    let limit = limit.clamp(1, PAGE_MAX);
    let entries = reader.scan(Table::Event, &[], Some(&after), limit)?;
    entries
        .iter()
        .map(|(key, bytes)| {
            let cursor = event_cursor(key)?;
            Ok((cursor, Event::decode(cursor.revision, bytes)?))
        })
        .collect()
}

/// Reads the revision up to which events are gone; a watcher can resume from it or later. 0 when all are there.
///
/// # Errors
/// When the state cannot be read.
pub fn events_pruned_to(reader: &dyn StateReader) -> Result<u64, ReadError> {
    match event_log::pruned_key(reader)? {
        Some(key) => Ok(event_cursor(&key)?.revision),
        None => Ok(0),
    }
}

fn event_cursor(key: &[u8]) -> Result<EventCursor, ReadError> {
    let cut = || ReadError::corrupt(Table::Event, "an event key is not 12 bytes");
    let (revision, position) = key.split_first_chunk().ok_or_else(cut)?;
    let position = position.try_into().map_err(|_wrong_length| cut())?;
    Ok(EventCursor {
        revision: u64::from_be_bytes(*revision),
        position: u32::from_be_bytes(position),
    })
}
