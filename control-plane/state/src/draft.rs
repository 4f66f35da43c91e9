//! The next state while a transaction runs: reads see what earlier operations wrote; nothing is final.

use std::collections::BTreeSet;

use bytes::Bytes;
use prost::Message as _;

use crate::{
    Event, Hash, Overlay, ReadError, Resource, ResourceKind, StateReader, Stored, Table, Txn,
    Write,
    bounds::Bounds,
    code, key,
    key::Index,
    query::{self, Record},
    rejection::{OpError, reject},
};

/// One transaction under way.
pub(crate) struct Draft<'a> {
    state: Overlay<&'a dyn StateReader>,
    pub(crate) index: u64,
    pub(crate) time_ms: u64,
    pub(crate) actor: &'a str,
    pub(crate) bounds: &'a Bounds,
    pub(crate) events: Vec<Event>,
    pub(crate) numbers: Vec<u64>,
}

impl<'a> Draft<'a> {
    pub(crate) fn new(
        reader: &'a dyn StateReader,
        index: u64,
        txn: &'a Txn,
        bounds: &'a Bounds,
    ) -> Draft<'a> {
        Draft {
            state: Overlay::new(reader),
            index,
            time_ms: txn.time_ms,
            actor: &txn.actor,
            bounds,
            events: Vec::new(),
            numbers: Vec::new(),
        }
    }

    pub(crate) fn state(&self) -> &dyn StateReader {
        &self.state
    }

    pub(crate) fn into_parts(self) -> (Vec<Write>, Vec<Event>) {
        (self.state.into_writes(), self.events)
    }

    pub(crate) fn write(&mut self, table: Table, key: Bytes, value: Option<Bytes>) {
        self.state.put(table, key, value);
    }

    /// Reads a resource as earlier operations left it.
    pub(crate) fn record<T: Record>(
        &self,
        environment: &str,
        id: &str,
    ) -> Result<Option<Resource<T>>, ReadError> {
        query::resource(&self.state, environment, id)
    }

    /// Writes a resource; its revision becomes the log index.
    pub(crate) fn put_record<T: Record>(
        &mut self,
        environment: &str,
        id: &str,
        record: &T,
    ) -> Result<(), ReadError> {
        let Some((table, key)) = key::locate(T::KIND, environment, id) else {
            return Err(ReadError::corrupt(
                Table::Resource,
                "a written id has no key",
            ));
        };
        let created_ms = match self.state.get(table, &key)? {
            Some(bytes) => decode_stored(table, &bytes)?.created_ms,
            None => self.time_ms,
        };
        let stored = Stored {
            revision: self.index,
            created_ms,
            updated_ms: self.time_ms,
            actor: self.actor.to_owned(),
            value: record.encode_to_vec().into(),
        };
        self.write(table, key, Some(stored.encode_to_vec().into()));
        Ok(())
    }

    /// Removes a resource, if it exists.
    pub(crate) fn delete_record(&mut self, kind: ResourceKind, environment: &str, id: &str) {
        if let Some((table, key)) = key::locate(kind, environment, id) {
            self.write(table, key, None);
        }
    }

    /// Says what changed. Live and published events are made where their facts are known.
    pub(crate) fn changed(
        &mut self,
        kind: ResourceKind,
        environment: &str,
        id: &str,
        name: &str,
        deleted: bool,
    ) {
        let event = self.event(kind, environment, id, name, deleted);
        self.events.push(event);
    }

    /// Makes an event without recording it.
    pub(crate) fn event(
        &self,
        kind: ResourceKind,
        environment: &str,
        id: &str,
        name: &str,
        deleted: bool,
    ) -> Event {
        Event {
            revision: self.index,
            time_ms: self.time_ms,
            actor: self.actor.to_owned(),
            kind,
            environment: environment.to_owned(),
            id: id.to_owned(),
            name: name.to_owned(),
            deleted,
            live: None,
            published: None,
        }
    }

    /// Demands that the environment exists.
    pub(crate) fn require_environment(&self, environment: &str) -> Result<(), OpError> {
        let key = key::resource(ResourceKind::Environment, "", environment);
        if environment.is_empty() || self.state.get(Table::Resource, &key)?.is_none() {
            let message = format!("environment \"{environment}\" does not exist");
            return Err(reject(code::NOT_FOUND, "environment", message));
        }
        Ok(())
    }

    /// Demands that nobody but `owner` has `value` in a unique index.
    pub(crate) fn require_free(
        &self,
        index: Index,
        environment: &str,
        value: &str,
        owner: &str,
        taken: impl FnOnce(&str) -> OpError,
    ) -> Result<(), OpError> {
        match self
            .state
            .get(Table::Index, &key::index(index, environment, value))?
        {
            Some(holder) if holder != owner.as_bytes() => {
                Err(taken(&String::from_utf8_lossy(&holder)))
            }
            _ => Ok(()),
        }
    }

    /// Moves the entries of one owner in a unique index from `before` to `after`. Empty values have no entry.
    pub(crate) fn reindex<'v>(
        &mut self,
        index: Index,
        environment: &str,
        owner: &str,
        before: impl IntoIterator<Item = &'v String>,
        after: impl IntoIterator<Item = &'v String>,
    ) {
        let values = |values: &mut dyn Iterator<Item = &'v String>| -> BTreeSet<&'v str> {
            values
                .map(String::as_str)
                .filter(|value| !value.is_empty())
                .collect()
        };
        let before = values(&mut before.into_iter());
        let after = values(&mut after.into_iter());
        for value in before.difference(&after) {
            self.write(Table::Index, key::index(index, environment, value), None);
        }
        for value in after.difference(&before) {
            let owner = Bytes::copy_from_slice(owner.as_bytes());
            self.write(
                Table::Index,
                key::index(index, environment, value),
                Some(owner),
            );
        }
    }

    /// Stores bytes under their hash, or finds them there, and counts one more reference.
    pub(crate) fn retain_bytes(&mut self, bytes: &Bytes) -> Result<Hash, ReadError> {
        let hash = *blake3::hash(bytes).as_bytes();
        let count = query::object_references(&self.state, &hash)?;
        if count == 0 {
            self.write(Table::Object, key::object_bytes(&hash), Some(bytes.clone()));
        }
        self.set_references(&hash, count.saturating_add(1));
        Ok(hash)
    }

    /// Counts one more reference to bytes that are stored.
    pub(crate) fn retain(&mut self, hash: &Hash) -> Result<(), ReadError> {
        let count = query::object_references(&self.state, hash)?;
        if count == 0 {
            return Err(ReadError::corrupt(
                Table::Object,
                "a referenced object is missing",
            ));
        }
        self.set_references(hash, count.saturating_add(1));
        Ok(())
    }

    /// Counts one reference less; the last one removes the bytes.
    pub(crate) fn release(&mut self, hash: &Hash) -> Result<(), ReadError> {
        let count = query::object_references(&self.state, hash)?;
        let left = count.checked_sub(1).ok_or_else(|| {
            ReadError::corrupt(
                Table::Object,
                "an object is released more often than retained",
            )
        })?;
        if left == 0 {
            self.write(Table::Object, key::object_bytes(hash), None);
        }
        self.set_references(hash, left);
        Ok(())
    }

    fn set_references(&mut self, hash: &Hash, count: u64) {
        let value = (count > 0).then(|| Bytes::copy_from_slice(&count.to_be_bytes()));
        self.write(Table::Object, key::object_count(hash), value);
    }
}

/// Decodes the envelope of a resource.
pub(crate) fn decode_stored(table: Table, bytes: &Bytes) -> Result<Stored, ReadError> {
    Stored::decode(bytes.clone()).map_err(|error| ReadError::corrupt(table, error.to_string()))
}

/// Reads a stored hash.
pub(crate) fn stored_hash(table: Table, bytes: &[u8]) -> Result<Hash, ReadError> {
    bytes
        .try_into()
        .map_err(|_wrong_length| ReadError::corrupt(table, "a hash is not 32 bytes"))
}
