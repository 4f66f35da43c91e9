//! What was fetched for dictionaries and for properties of APIs.
//!
//! One node fetches and proposes what it got, so that all edges agree and a restart loses nothing. A failure is
//! recorded beside the last values, which stay.

use bytes::Bytes;

use crate::{
    FeedRecord, LiveRecord, ReadError, ResourceKind, Table, code,
    draft::Draft,
    key::{self, Index},
    op::live,
    rejection::{OpError, check_id, reject},
};

/// Longest error, in bytes.
const ERROR_BYTES_MAX: usize = 1024;

/// Records the outcome of a fetch, and makes the values live if there are new ones.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct PutFeed {
    /// Environment of the owner.
    #[prost(string, tag = "1")]
    pub environment: String,
    /// Object kind of what was fetched: `dictionary` or `properties`.
    #[prost(string, tag = "2")]
    pub kind: String,
    /// Id of the dictionary or API.
    #[prost(string, tag = "3")]
    pub id: String,
    /// The outcome; its `object_hash` is ignored.
    #[prost(message, required, tag = "4")]
    pub record: FeedRecord,
    /// The object with the values as edges receive it; empty keeps the one there is.
    #[prost(bytes = "bytes", tag = "5")]
    pub object: Bytes,
}

/// Object kind of the fetched properties of an API.
pub(super) const PROPERTIES: &str = "properties";
/// Object kind of a dictionary.
pub(super) const DICTIONARY: &str = "dictionary";

pub(super) fn put(draft: &mut Draft<'_>, op: &PutFeed) -> Result<(), OpError> {
    let PutFeed {
        environment,
        kind,
        id,
        record,
        object,
    } = op;
    if kind != PROPERTIES && kind != DICTIONARY {
        let message = format!("expected {DICTIONARY} or {PROPERTIES}");
        return Err(reject(code::INVALID, "kind", message));
    }
    check_id("id", id)?;
    if record.error.len() > ERROR_BYTES_MAX {
        let message = format!("expected at most {ERROR_BYTES_MAX} bytes");
        return Err(reject(code::INVALID, "record.error", message));
    }
    // Whoever fetched may not know yet that the owner changed, stopped or went away.
    let name = name_of(kind, id);
    let listed = key::index(Index::Feed, environment, &name);
    if draft.state().get(Table::Index, &listed)?.is_none() {
        let message = format!("the {kind} of \"{id}\" are not fetched from anywhere");
        return Err(reject(code::NOT_FOUND, "id", message));
    }
    let before = draft.record::<FeedRecord>(environment, &name)?;
    let mut hash = before.map(|before| before.value.object_hash);
    if !object.is_empty() {
        let facts = facts(draft, environment, kind, id)?;
        let new = draft.retain_bytes(object)?;
        let record = LiveRecord {
            object_hash: Bytes::copy_from_slice(&new),
            object_len: live::length(object),
            ..facts
        };
        live::set(draft, environment, kind, id, &record)?;
        release(draft, hash.as_ref())?;
        hash = Some(record.object_hash);
    }
    let stored = FeedRecord {
        object_hash: hash.unwrap_or_default(),
        ..record.clone()
    };
    draft.put_record(environment, &name, &stored)?;
    draft.changed(ResourceKind::Feed, environment, &name, "", false);
    Ok(())
}

/// Notes whether something is fetched for an owner from now on.
pub(super) fn mark(
    draft: &mut Draft<'_>,
    environment: &str,
    kind: &str,
    id: &str,
    has_feed: bool,
) -> Result<(), ReadError> {
    let key = key::index(Index::Feed, environment, &name_of(kind, id));
    let is_listed = draft.state().get(Table::Index, &key)?.is_some();
    if is_listed != has_feed {
        draft.write(Table::Index, key, has_feed.then(Bytes::new));
    }
    Ok(())
}

/// Forgets what was fetched for an owner. Its live object is the caller's.
pub(super) fn remove(
    draft: &mut Draft<'_>,
    environment: &str,
    kind: &str,
    id: &str,
) -> Result<(), ReadError> {
    mark(draft, environment, kind, id, false)?;
    let name = name_of(kind, id);
    let Some(record) = draft.record::<FeedRecord>(environment, &name)? else {
        return Ok(());
    };
    release(draft, Some(&record.value.object_hash))?;
    draft.delete_record(ResourceKind::Feed, environment, &name);
    draft.changed(ResourceKind::Feed, environment, &name, "", true);
    Ok(())
}

/// Follows a deployment of an API: its fetched properties go on under its new facts, or end.
pub(super) fn follow_api(
    draft: &mut Draft<'_>,
    environment: &str,
    api: &LiveRecord,
    has_feed: bool,
) -> Result<(), ReadError> {
    let id = api.api_id.as_str();
    if !has_feed {
        live::clear(draft, environment, PROPERTIES, id)?;
        return remove(draft, environment, PROPERTIES, id);
    }
    mark(draft, environment, PROPERTIES, id, true)
}

/// What decides which views the object is in.
fn facts(
    draft: &Draft<'_>,
    environment: &str,
    kind: &str,
    id: &str,
) -> Result<LiveRecord, OpError> {
    if kind == DICTIONARY {
        return Ok(LiveRecord {
            is_everywhere: true,
            ..LiveRecord::default()
        });
    }
    match draft.record::<LiveRecord>(environment, &format!("{}/{id}", live::API))? {
        Some(api) => Ok(api.value),
        None => {
            let message = format!("API \"{id}\" is not deployed");
            Err(reject(code::NOT_FOUND, "id", message))
        }
    }
}

fn release(draft: &mut Draft<'_>, hash: Option<&Bytes>) -> Result<(), ReadError> {
    match hash.filter(|hash| !hash.is_empty()) {
        Some(hash) => {
            let hash = crate::draft::stored_hash(Table::Resource, hash)?;
            draft.release(&hash)
        }
        None => Ok(()),
    }
}

fn name_of(kind: &str, id: &str) -> String {
    format!("{kind}/{id}")
}
